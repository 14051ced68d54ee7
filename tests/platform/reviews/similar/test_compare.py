"""What is found, held against counting all pairs: nothing that matters is missed, and every number is exact."""

from __future__ import annotations

from itertools import combinations

import pytest

from reviews.similar import compare
from reviews.similar.compare import LEAST_SHARE, near_duplicates
from reviews.similar.shingles import WORDS, common_shingles, matches, shingles_of, without_common
from tests.platform.reviews.similar.writing import Writer


def runs_by_hand(text: str) -> set[tuple[str, ...]]:
    """Five words in a row, written another way: without places, without joining."""
    words = "".join(letter if letter.isalnum() else " " for letter in text).lower().split()
    return set(zip(*(words[at:] for at in range(5)), strict=False))


def by_brute_force(texts: dict[int, str]) -> dict[tuple[int, int], tuple[float, float]]:
    """Share of the shorter and Jaccard similarity of all pairs that share enough."""
    runs = {key: runs_by_hand(text) for key, text in texts.items()}
    found = {}
    for a, b in combinations(sorted(texts), 2):
        shared = len(runs[a] & runs[b])
        share = shared / min(len(runs[a]), len(runs[b]))
        if share >= LEAST_SHARE:
            found[a, b] = (share, shared / len(runs[a] | runs[b]))
    return found


def found_in(texts: dict[int, str], owners: dict[int, int] | None = None) -> dict[tuple[int, int], tuple[float, float]]:
    pairs = near_duplicates(
        {key: shingles_of([text]) for key, text in texts.items()}, owners or {key: key for key in texts}
    )
    return {(pair.first, pair.second): (pair.share, pair.jaccard) for pair in pairs}


def a_class_that_copies(seed: int, count: int = 120) -> dict[int, str]:
    """Texts of different lengths, half of which took something, from a tenth to all, from an earlier one."""
    writer = Writer(seed)
    texts: dict[int, str] = {}
    for key in range(count):
        words = writer.words(writer.random.randint(120, 900))
        if key and key % 2:
            source = texts[writer.random.randrange(key)].split()
            taken = int(len(source) * writer.random.uniform(0.1, 1.0))
            start = writer.random.randint(0, len(source) - taken)
            words[: writer.random.randint(0, len(words))] = source[start : start + taken]
        texts[key] = " ".join(words)
    return texts


@pytest.mark.parametrize("seed", range(6))
def test_all_pairs_that_brute_force_finds_are_found_with_the_same_numbers(seed):
    texts = a_class_that_copies(seed)
    expected, found = by_brute_force(texts), found_in(texts)
    assert len(expected) > 15
    assert found == {pair: pytest.approx(expected[pair]) for pair in expected}


def test_a_short_text_inside_a_long_one_is_found():
    """The hardest case for MinHash: all of the short one, a twelfth of both."""
    writer = Writer(3)
    missed = 0
    for at in range(40):
        long = writer.words(1200)
        missed += (0, 1) not in found_in({0: " ".join(long), 1: " ".join(long[at * 20 : at * 20 + 100])})
    assert missed == 0


def test_paragraphs_in_another_order_share_all_but_the_seams():
    writer = Writer(5)
    paragraphs = [writer.paragraph() for _ in range(5)]
    share, _ = found_in({0: "\n\n".join(paragraphs), 1: "\n\n".join(reversed(paragraphs))})[0, 1]
    assert share > 0.94
    items = {f"{at}.md": text for at, text in enumerate(paragraphs)}
    assert shingles_of(items.values()) == shingles_of(reversed(items.values()))


def test_case_signs_and_line_ends_hide_nothing():
    writer = Writer(6)
    text = writer.text()
    disguised = text.upper().replace(" ", "\r\n  ").replace(".", " !!")
    assert found_in({0: text, 1: disguised})[0, 1] == (1.0, 1.0)


def test_letters_that_look_alike_by_compatibility_are_the_same():
    assert shingles_of(["ﬁve ﬁne words in a row"]) == shingles_of(["FIVE fine words in a row"])


def test_independent_texts_are_not_similar():
    writer = Writer(8)
    assert found_in({key: writer.text() for key in range(60)}) == {}


def test_the_same_persons_texts_are_never_a_pair():
    text = Writer(9).text()
    assert found_in({0: text, 1: text}, {0: 5, 1: 5}) == {}
    assert (0, 1) in found_in({0: text, 1: text}, {0: 5, 1: 6})


def test_very_short_texts_say_too_little():
    assert found_in({0: "I did not read this one at all, sorry", 1: "I did not read this one at all, sorry"}) == {}
    assert found_in({0: "", 1: ""}) == {}


def test_what_many_quote_is_held_against_nobody():
    writer = Writer(10)
    abstract = writer.paragraph(150)
    texts = {key: f"{abstract} {writer.paragraph(150)}" for key in range(40)}
    runs = {key: shingles_of([text]) for key, text in texts.items()}
    assert len(near_duplicates(runs, {key: key for key in runs})) == 40 * 39 / 2
    assert near_duplicates(without_common(runs), {key: key for key in runs}) == []


def test_a_copy_between_two_of_those_who_quote_is_still_found_with_its_own_share():
    writer = Writer(11)
    abstract = writer.paragraph(100)
    own = {key: writer.paragraph(200) for key in range(40)}
    own[1] = own[0]
    runs = without_common({key: shingles_of([abstract, text]) for key, text in own.items()})
    (pair,) = near_duplicates(runs, {key: key for key in runs})
    assert (pair.first, pair.second, pair.share) == (0, 1, 1.0)


def test_a_text_that_ten_hand_in_whole_is_no_phrase_of_the_paper():
    writer = Writer(12)
    copied = writer.text()
    texts = {key: copied if key < 10 else writer.text() for key in range(60)}
    runs = without_common({key: shingles_of([text]) for key, text in texts.items()})
    assert len(near_duplicates(runs, {key: key for key in runs})) == 10 * 9 / 2


def test_a_run_is_common_from_eight_documents_on_and_a_tenth():
    run = shingles_of(["one two three four five"])
    assert common_shingles([run] * 7) == frozenset()
    assert common_shingles([run] * 8) == run
    assert common_shingles([run] * 11 + [frozenset()] * 109) == frozenset()
    assert common_shingles([run] * 12 + [frozenset()] * 108) == run


def test_passages_are_marked_where_they_stand():
    left = {"1-problem.md": "Before it. The cache is split into fixed blocks of tokens, they say. After it."}
    right = {"2-impact.md": "We read: the cache is SPLIT into fixed\nblocks of tokens."}
    shared = shingles_of(left.values()) & shingles_of(right.values())
    ((start, end),) = matches(left, shared)["1-problem.md"]
    assert left["1-problem.md"][start:end] == "The cache is split into fixed blocks of tokens"
    ((start, end),) = matches(right, shared)["2-impact.md"]
    assert right["2-impact.md"][start:end] == "the cache is SPLIT into fixed\nblocks of tokens"


def test_two_passages_apart_stay_two():
    text = "a b c d e X Y Z f g h i j"
    shared = shingles_of(["a b c d e", "f g h i j"])
    assert [text[start:end] for start, end in matches({"t": text}, shared)["t"]] == ["a b c d e", "f g h i j"]


def test_fewer_words_than_a_run_are_no_run():
    assert shingles_of([" ".join("abcd")]) == frozenset()
    assert len(shingles_of([" ".join("abcde")])) == 1
    assert WORDS == 5


def test_fewer_hashes_would_miss_pairs(monkeypatch):
    """The measure itself: with four hashes in bands of four, recall falls, and the comparison with brute force would tell."""
    plain = compare.RMinHashLSH
    monkeypatch.setattr(compare, "HASHES", 4)
    monkeypatch.setattr(compare, "RMinHashLSH", lambda threshold, num_perm, **_: plain(threshold, num_perm, 1))
    texts = a_class_that_copies(0)
    assert len(found_in(texts)) < len(by_brute_force(texts))
