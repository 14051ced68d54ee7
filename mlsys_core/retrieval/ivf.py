"""Inverted lists: vectors in cells, and a query looks into the nearest few of them.

Idea      k-means cuts the space into nlist cells, and each vector is kept in the list of its cell. What is near to a query is mostly in
          the nprobe cells whose centroids are nearest to it, so the rest is never read. Which cells are nearest, an index of the
          centroids says, the quantizer.
Equation  distances a query = nlist + nprobe · n / nlist, if lists are equally long; least for nlist = √(nprobe · n)
Paper     J. Sivic, A. Zisserman, "Video Google", ICCV 2003 (inverted files of vectors); H. Jégou et al., "Product quantization for
          nearest neighbor search", IEEE TPAMI 33, 2011, section IV.
Cost      `ivf_cost`. An `add` copies all lists once: add many vectors at a time.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mlsys_core.retrieval.index import Array, Index, Stored
from mlsys_core.retrieval.kmeans import Kmeans
from mlsys_core.retrieval.scan import Found, scan_vectors

ITERATIONS = 10  # of k-means for cells, as in Faiss


def ivf_cost(n: int, d: int, nlist: int, nprobe: int) -> dict[str, float]:
    """Bytes of the index with a flat quantizer, and distances that a query computes if lists are equally long."""
    return {"bytes": n * (4 * d + 4) + nlist * 4 * (d + 1) + (nlist + 1) * 8, "ndis": nlist + nprobe * n / nlist}


@dataclass
class InvertedLists:
    """Members of all lists, one list after the other; within a list in the order in which they came.

    offsets   (nlist + 1,) int64: list l is rows offsets[l] … offsets[l + 1] - 1
    ids       (n,) int32: numbers of the vectors
    rows      (n, …): what is kept of each
    """

    offsets: Array
    ids: Array
    rows: Array

    @property
    def lengths(self) -> Array:
        """How many members each list has."""
        return np.diff(self.offsets)

    def add(self, lists: Array, rows: Array) -> None:
        """Puts rows into lists (m,); they get the numbers that follow."""
        nlist, n = len(self.offsets) - 1, len(self.ids)
        wanted = np.concatenate((np.repeat(np.arange(nlist), self.lengths), lists))
        order = np.argsort(wanted, kind="stable")
        self.ids = np.concatenate((self.ids, np.arange(n, n + len(rows), dtype=np.int32)))[order]
        # into empty lists, without a copy between: a million vectors of 128 numbers are half a gigabyte
        self.rows = (np.concatenate((self.rows, rows)) if n else rows)[order]
        self.offsets = np.concatenate(([0], np.cumsum(np.bincount(wanted, minlength=nlist)))).astype(np.int64)

    @classmethod
    def restored(cls, stored: Stored, nlist: int, dtype: Any, width: int) -> Self:
        """Lists from a file. Raises ValueError where they do not cover all members once."""
        lists = cls(
            stored.take("offsets", np.int64, nlist + 1),
            stored.take("ids", np.int32, -1),
            stored.take("rows", dtype, -1, width),
        )
        n = len(lists.ids)
        if (
            len(lists.rows) != n
            or lists.offsets[0] != 0
            or lists.offsets[-1] != n
            or (lists.lengths < 0).any()
            or not np.array_equal(np.sort(lists.ids), np.arange(n))
        ):
            raise ValueError("its lists do not hold each vector once")
        return lists


class IndexIVF(Index):
    """What indices with inverted lists share; a subclass says what is kept of a vector.

    quantizer   an index of the centroids; empty before `train`, which fills it, or already with nlist centroids
    nprobe      how many lists a query looks into
    """

    def __init__(self, quantizer: Index, d: int, nlist: int, row: Array) -> None:
        super().__init__(d)
        if quantizer.d != d or nlist < 1 or quantizer.FAR < 0:
            raise ValueError(
                f"{nlist} lists of vectors of {d} numbers need a quantizer by squared distances of as many numbers; "
                f"this is {type(quantizer).__name__} of {quantizer.d}."
            )
        self.quantizer, self.nlist, self.nprobe, self.niter = quantizer, nlist, 1, ITERATIONS
        self.lists = InvertedLists(np.zeros(nlist + 1, np.int64), np.empty(0, np.int32), row)

    @property
    def ntotal(self) -> int:
        """How many vectors were added."""
        return len(self.lists.ids)

    @property
    def is_trained(self) -> bool:
        """Whether there are centroids."""
        return self.quantizer.ntotal == self.nlist

    def parameters(self) -> dict[str, Any]:
        """Sizes, and how many lists are looked into."""
        return {"d": self.d, "nlist": self.nlist, "nprobe": self.nprobe}

    def arrays(self) -> dict[str, Array]:
        """The lists."""
        return {"offsets": self.lists.offsets, "ids": self.lists.ids, "rows": self.lists.rows}

    def parts(self) -> dict[str, Index]:
        """The quantizer."""
        return {"quantizer": self.quantizer}

    def _train(self, x: Array) -> None:
        """Centroids by k-means, unless the quantizer has them."""
        if self.ntotal:
            raise ValueError(
                "There are vectors in the lists, which other centroids would make wrong: train before add."
            )
        if self.quantizer.ntotal not in {0, self.nlist}:
            raise ValueError(
                f"The quantizer has {self.quantizer.ntotal} centroids for {self.nlist} lists: give one that is empty, or has them all."
            )
        if not self.quantizer.ntotal:
            kmeans = Kmeans(self.d, self.nlist, niter=self.niter)
            kmeans.train(x)
            self.quantizer.train(kmeans.centroids)
            self.quantizer.add(kmeans.centroids)

    def _add(self, x: Array) -> None:
        _, lists = self.quantizer.search(x, 1)
        self.ndis = self.quantizer.ndis
        self.lists.add(lists[:, 0], self._rows(x, lists[:, 0]))

    def _search(self, x: Array, k: int) -> tuple[Array, Array]:
        if self.nprobe < 1:
            raise ValueError(f"nprobe is {self.nprobe}, so no list would be looked into: set it to at least 1.")
        bases, lists = self.quantizer.search(x, min(self.nprobe, self.nlist))
        distances, ids, computed = self._scan(x, lists, bases, k)
        self.ndis = self.quantizer.ndis + computed
        return distances, ids

    @abstractmethod
    def _rows(self, x: Array, lists: Array) -> Array:
        """What is kept of vectors that go to these lists."""

    @abstractmethod
    def _scan(self, x: Array, lists: Array, bases: Array, k: int) -> Found:
        """The k nearest in lists (n, nprobe), whose centroids are at the squared distances `bases`."""

    def reconstruct_batch(self, ids: Array) -> Array:
        """The vectors with these numbers, as they are kept."""
        at = np.argsort(self.lists.ids)[ids]
        return self._vectors(np.searchsorted(self.lists.offsets, at, "right") - 1, self.lists.rows[at])

    @abstractmethod
    def _vectors(self, lists: Array, rows: Array) -> Array:
        """Vectors (n, d) from what is kept of them, and the lists that they are in."""

    def _refill(self, stored: Stored, width: int) -> None:
        """Takes the lists from a file. Raises ValueError where they and the quantizer are not of one index."""
        self.nprobe = stored.number("nprobe")
        self.lists = InvertedLists.restored(stored, self.nlist, self.lists.rows.dtype, width)
        if self.ntotal and not self.is_trained:
            raise ValueError(f"its quantizer has {self.quantizer.ntotal} centroids for {self.nlist} lists")


class IndexIVFFlat(IndexIVF):
    """Inverted lists of whole vectors: what is found is exact within the lists that were looked into."""

    def __init__(self, quantizer: Index, d: int, nlist: int) -> None:
        super().__init__(quantizer, d, nlist, np.empty((0, d), np.float32))

    @classmethod
    def restored(cls, stored: Stored) -> Self:
        """The index of these lists."""
        index = cls(stored.part("quantizer"), stored.number("d"), stored.number("nlist"))
        index._refill(stored, index.d)
        return index

    def _rows(self, x: Array, lists: Array) -> Array:  # noqa: ARG002 - vectors are the same in every list
        return x

    def _vectors(self, lists: Array, rows: Array) -> Array:  # noqa: ARG002
        return rows

    def _scan(self, x: Array, lists: Array, bases: Array, k: int) -> Found:  # noqa: ARG002 - not of residuals
        return scan_vectors(x, lists, self.lists.offsets, self.lists.rows, self.lists.ids, k)
