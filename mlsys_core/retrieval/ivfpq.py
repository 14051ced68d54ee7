"""Inverted lists of codes: few lists are read, and M bytes of each vector in them.

Idea      Within a cell, vectors differ from its centroid by little, so it is the difference that is coded: the same M bytes then leave a
          smaller error. A table for each query and list would cost more than the list. But its entries fall into three parts, of which
          one depends on the query, one on the list, and none on both; the second is computed once, at training.
Equation  |q - c - r|² = |q - c|² + (|r|² + 2 c·r) - 2 q·r,   r what a code stands for, part by part
Paper     H. Jégou, M. Douze, C. Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI 33, 2011, section IV; the
          three parts of the table: M. Douze et al., "The Faiss library", arXiv 2401.08281, 2024.
Cost      `ivfpq_cost`; the second part takes 4 · nlist · M · 2^nbits bytes.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from mlsys_core.retrieval.index import Array, Index, Stored
from mlsys_core.retrieval.ivf import IndexIVF
from mlsys_core.retrieval.pq import TABLES, ProductQuantizer
from mlsys_core.retrieval.scan import Found, scan_residuals

BLOCK = 2**15  # vectors whose differences are held at a time


def ivfpq_cost(n: int, d: int, nlist: int, nprobe: int, M: int, nbits: int = 8) -> dict[str, float]:
    """Bytes of the index with a flat quantizer, those of them that are tables of lists, and distances a query if lists are equal."""
    kept = n * (M + 4) + 4 * d * (nlist + 2**nbits) + 4 * nlist + (nlist + 1) * 8
    tables = 4 * nlist * M * 2**nbits
    return {"bytes": kept + tables, "tables": tables, "ndis": nlist + nprobe * n / nlist}


class IndexIVFPQ(IndexIVF):
    """Inverted lists of what product quantization makes of the differences from the centroid of a list."""

    def __init__(self, quantizer: Index, d: int, nlist: int, M: int, nbits: int = 8) -> None:
        super().__init__(quantizer, d, nlist, np.empty((0, M), np.uint8))
        self.pq = ProductQuantizer(d, M, nbits)
        self.terms = np.empty((0, M, self.pq.ksub), np.float32)

    @property
    def is_trained(self) -> bool:
        """Whether there are centroids of lists and of parts."""
        return super().is_trained and len(self.pq.centroids) > 0

    def parameters(self) -> dict[str, Any]:
        """Sizes, and how many lists are looked into."""
        return {**super().parameters(), "M": self.pq.M, "nbits": self.pq.nbits}

    def arrays(self) -> dict[str, Array]:
        """The lists, and the centroids of parts."""
        return {**super().arrays(), "centroids": self.pq.centroids}

    def derived(self) -> dict[str, Array]:
        """The part of the tables that depends on the list."""
        return {"terms": self.terms}

    @classmethod
    def restored(cls, stored: Stored) -> Self:
        """The index of these lists; the tables' second part is computed again."""
        sizes = (stored.number(name) for name in ("d", "nlist", "M", "nbits"))
        index = cls(stored.part("quantizer"), *sizes)
        index.pq.restore(stored)
        index._refill(stored, index.pq.M)
        index.pq.check(index.lists.rows)
        if index.is_trained:
            index.terms = index._terms()
        return index

    def _train(self, x: Array) -> None:
        super()._train(x)
        # k-means of a part takes no more than this many; the differences of the others need not be known
        sample = np.random.default_rng(self.pq.seed).permutation(len(x))[: 256 * self.pq.ksub]
        x = x[sample]
        _, lists = self.quantizer.search(x, 1)
        self.pq.train(x - self._centroids(lists[:, 0]))
        self.terms = self._terms()

    def _terms(self) -> Array:
        """|r|² + 2 c·r of each list, part and centroid: (nlist, M, ksub)."""
        terms = self.pq.products(self._centroids(np.arange(self.nlist)))
        terms *= 2
        terms += self.pq.norms()
        return terms

    def _centroids(self, lists: Array) -> Array:
        return self.quantizer.reconstruct_batch(lists)

    def _rows(self, x: Array, lists: Array) -> Array:
        blocks = (slice(at, at + BLOCK) for at in range(0, len(x), BLOCK))
        return np.concatenate([self.pq.compute_codes(x[one] - self._centroids(lists[one])) for one in blocks])

    def _vectors(self, lists: Array, rows: Array) -> Array:
        return self._centroids(lists) + self.pq.decode(rows)

    def _scan(self, x: Array, lists: Array, bases: Array, k: int) -> Found:
        found, kept = [], (self.terms, self.lists.offsets, self.lists.rows, self.lists.ids)
        step = max(1, TABLES // (self.pq.M * self.pq.ksub))
        for at in range(0, len(x), step):
            block = slice(at, at + step)
            found.append(scan_residuals(-2 * self.pq.products(x[block]), lists[block], bases[block], *kept, k))
        distances, ids, computed = zip(*found, strict=True)
        return np.concatenate(distances), np.concatenate(ids), sum(computed)
