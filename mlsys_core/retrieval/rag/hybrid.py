"""Two searches whose lists are joined by ranks: one knows words, the other what goes with what.

Idea      BM25 finds names, numbers and commands; vectors find what is said in other words. Their scores have no common scale, but their
          ranks do. A text that both put high beats one that a single search puts first.
Equation  score(d) = Σ over searches r of 1 / (k + rank_r(d)),  ranks from 1;  a search that does not list d adds nothing
Paper     G. Cormack, C. Clarke, S. Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods", SIGIR
          2009: k = 60.
Cost      That of both searches, and O(depth log depth).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mlsys_core.retrieval.rag.bm25 import BM25
from mlsys_core.retrieval.rag.chunks import Chunk
from mlsys_core.retrieval.rag.embed import LatentSemantics, Vectors


class VectorIndex(Protocol):
    """What a nearest-neighbour index offers, in the shape of faiss: float32 vectors (n, d) in, distances and numbers (n, k) out.

    Numbers are those of the order of adding, best first, -1 where fewer than k are found.
    """

    def add(self, x: Vectors, /) -> Any:
        """Takes vectors (n, d)."""
        ...

    def search(self, xq: Vectors, k: int, /) -> tuple[Any, Any]:
        """The k nearest of each question."""
        ...


class Scan:
    """Every vector is looked at: exact, and fast enough for thousands. Distances are cosines of unit vectors."""

    def __init__(self) -> None:
        self._held: list[Vectors] = []

    def add(self, x: Vectors) -> None:
        """Takes unit vectors (n, d)."""
        self._held.append(x)

    def search(self, xq: Vectors, k: int) -> tuple[Any, Any]:
        """Cosines and numbers (n, k); equal ones in the order of adding."""
        cosines = xq @ np.concatenate(self._held).T
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(cosines, order, axis=1), order


@dataclass(frozen=True)
class Hit:
    """A chunk by its number, its joined score, and its rank in each search, 0 where that one does not list it."""

    number: int
    score: float
    by_words: int
    by_vectors: int


def fuse(lists: Sequence[Iterable[int]], k: int = 60) -> dict[int, float]:
    """Joined scores of the numbers in ranked lists, best first; equal ones in the order of their numbers."""
    scores: dict[int, float] = {}
    for ranked in lists:
        for rank, number in enumerate(ranked, start=1):
            scores[number] = scores.get(number, 0.0) + 1 / (k + rank)
    return dict(sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])))


class Hybrid:
    """Searches chunks by BM25 and by vectors. `index` is any `VectorIndex` that is empty; without one every vector is looked at."""

    def __init__(self, chunks: Sequence[Chunk], *, index: VectorIndex | None = None, directions: int = 128) -> None:
        texts = [chunk.text for chunk in chunks]
        self.chunks = list(chunks)
        self.words, self.vectors = BM25(texts), LatentSemantics(texts, directions)
        self._index: VectorIndex = Scan() if index is None else index
        self._index.add(self.vectors.embed(texts))

    def search(self, question: str, k: int = 10, depth: int = 50) -> list[Hit]:
        """The k best chunks; each search gives its `depth` best to the joined list. Empty when no word of the question is known."""
        scores = self.words.scores(question)
        by_words = [int(i) for i in np.argsort(-scores, kind="stable")[:depth] if scores[i] > 0]
        if not by_words:
            return []
        vector = self.vectors.embed([question])
        by_vectors = [int(i) for i in np.asarray(self._index.search(vector, min(depth, len(self.chunks)))[1])[0]]
        by_vectors = [i for i in by_vectors if i >= 0]
        ranks = [{number: rank for rank, number in enumerate(ranked, 1)} for ranked in (by_words, by_vectors)]
        return [
            Hit(number, score, ranks[0].get(number, 0), ranks[1].get(number, 0))
            for number, score in list(fuse([by_words, by_vectors]).items())[:k]
        ]
