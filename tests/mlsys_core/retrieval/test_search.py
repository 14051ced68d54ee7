"""The searches: BM25 against its formula, latent semantics against scipy's and scikit-learn's, ranks joined as the paper says."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy.sparse.linalg import svds
from sklearn.feature_extraction.text import TfidfVectorizer

from mlsys_core.retrieval.rag.bm25 import BM25, inverse_frequency
from mlsys_core.retrieval.rag.chunks import Chunk, Sentence
from mlsys_core.retrieval.rag.embed import LatentSemantics
from mlsys_core.retrieval.rag.hybrid import Hybrid, Scan, fuse
from mlsys_core.retrieval.rag.terms import terms

WORDS = [f"w{i}{letter}" for i in range(12) for letter in "abc"]


def texts_of(seed, count=30, longest=25):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, longest))) for _ in range(count)]


def chunk(text, number=0):
    return Chunk(f"{number}.md", ("",), (Sentence(text, 1, 1),))


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.4, 0.0), (2.0, 1.0)])
def test_bm25_is_its_formula(held, k1, b):
    texts, question = texts_of(1), "w0a w3b w7c w7c unknown"
    split = [text.split() for text in texts]
    mean = sum(map(len, split)) / len(split)

    def score(words):
        total = 0.0
        for term in question.split():
            having = sum(term in other for other in split)
            idf = math.log(1 + (len(split) - having + 0.5) / (having + 0.5))
            f = words.count(term)
            total += idf * f * (k1 + 1) / (f + k1 * (1 - b + b * len(words) / mean))
        return total

    held("BM25", "its formula", BM25(texts, k1=k1, b=b).scores(question), [score(w) for w in split], 1e-12)


def test_a_word_that_no_text_has_says_most_and_one_of_all_texts_next_to_nothing():
    values = [inverse_frequency(50, n) for n in range(51)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0


def test_coverage_is_the_part_of_a_question_that_is_said():
    index = BM25(["plum tree", "plum pie", "river"])
    whole = index.coverage("plum river moon", ["plum", "river", "moon"])
    parts = [index.coverage("plum river moon", [word]) for word in ("plum", "river", "moon")]
    assert (whole, sum(parts)) == (pytest.approx(1), pytest.approx(1))
    assert parts[0] < parts[1] < parts[2]
    assert index.coverage("plum river", []) == index.coverage("the of", ["plum"]) == 0


def test_latent_semantics_keeps_the_directions_that_an_svd_keeps(held):
    texts = texts_of(2, count=40)
    model = LatentSemantics(texts, size=9)
    rows = TfidfVectorizer(sublinear_tf=True, tokenizer=terms, token_pattern=None, lowercase=False).fit_transform(texts)
    values = np.sort(svds(rows, k=9, return_singular_vectors=False))[::-1]
    held("latent semantics", "scipy svds of scikit-learn's TF-IDF", model.values, values, 1e-8)
    left, s, _ = svds(rows, k=9)
    coordinates = left * s
    unit = coordinates / np.linalg.norm(coordinates, axis=1, keepdims=True)
    vectors = model.embed(texts)
    held("latent semantics", "scipy svds: cosines of all pairs", vectors @ vectors.T, unit @ unit.T, 1e-5)


def test_words_that_never_meet_are_near_when_they_have_the_same_company():
    model = LatentSemantics(
        ["car engine wheel", "auto engine wheel", "car road", "auto road", "tree leaf", "leaf root"], 3
    )
    car, auto, tree, nothing = model.embed(["car", "auto", "tree", "of the"])
    assert car @ auto > 0.9
    assert abs(car @ tree) < 0.1
    assert not nothing.any()
    assert model.size == 3


def test_it_learns_no_more_directions_than_there_are():
    assert LatentSemantics(["one two", "one two", "three four"], size=50).size == 2
    with pytest.raises(ValueError, match="at least one of each"):
        LatentSemantics([], 3)
    with pytest.raises(ValueError, match="at least one"):
        BM25([])


def test_ranks_are_joined_as_the_paper_says(held):
    lists = [[4, 2, 9], [2, 7, 4, 1]]
    found = fuse(lists, k=60)
    expected = {n: sum(1 / (61 + r.index(n)) for r in lists if n in r) for n in (1, 2, 4, 7, 9)}
    held("rank fusion", "its formula", {n: found[n] for n in expected}, expected, 1e-15)
    assert list(found) == sorted(expected, key=lambda n: (-expected[n], n))


def test_what_both_searches_put_high_comes_first_and_ranks_are_told():
    search = Hybrid([chunk(text, i) for i, text in enumerate(texts_of(3))], directions=8)
    hits = search.search("w1a w5b", k=5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        ranks = [rank for rank in (hit.by_words, hit.by_vectors) if rank]
        assert hit.score == pytest.approx(sum(1 / (60 + rank) for rank in ranks))
    assert search.search("nothing known") == []


class ByDistance:
    """An index in the shape of faiss that measures squared distances, and returns -1 where it has no more to give."""

    def __init__(self):
        self.held = np.zeros((0, 0), np.float32)

    def add(self, x):
        assert x.dtype == np.float32
        self.held = x

    def search(self, xq, k):
        distances = ((xq[:, None] - self.held[None]) ** 2).sum(-1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        order[:, 12:] = -1
        return np.take_along_axis(distances, order, 1), order


def test_any_index_with_that_shape_gives_the_same_best_chunks():
    chunks = [chunk(text, i) for i, text in enumerate(texts_of(4, count=25))]
    question = "w2a w2b w9c"
    scanned = Hybrid(chunks, directions=10).search(question, k=6, depth=12)
    assert Hybrid(chunks, index=ByDistance(), directions=10).search(question, k=6, depth=12) == scanned
    assert len(Hybrid(chunks, index=ByDistance(), directions=10).search(question, k=25, depth=25)) <= 25


def test_a_scan_gives_the_best_in_order_of_cosine(held):
    rng = np.random.default_rng(5)
    x, q = (rng.standard_normal((n, 6)).astype(np.float32) for n in (40, 3))
    index = Scan()
    index.add(x[:15])
    index.add(x[15:])
    scores, numbers = index.search(q, 7)
    held("scan", "numpy's sort", scores, -np.sort(-(q @ x.T), axis=1)[:, :7], 0.0)
    assert np.array_equal(np.take_along_axis(q @ x.T, numbers, 1), scores)
