"""Scans of lists: whole vectors beside a query, or their codes by a table, and of all that is seen the k nearest.

Idea      What an inverted list or a code saves is only worth something if the loop over what is left is short. Each scan stands here
          twice, in numpy, which says what it computes, and in C (`c/scan.c`), which is what runs where there is a compiler.
Equation  D(q, x) = Σ (q - x)²;   D(q, code) = base + Σ_j table[j, code_j]
Paper     H. Jégou, M. Douze, C. Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI 33, 2011, sections III.A, IV.
Cost      d multiplications a vector; M reads and additions a code.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mlsys_core.retrieval.native import Array, call, library

Found = tuple[Array, Array, int]  # D (n, k) float32, I (n, k) int64, distances computed


def nearest(distances: Array, ids: Array, k: int) -> tuple[Array, Array]:
    """The k least distances of (n,) in ascending order, equal ones by their numbers; -1 at infinity where there are fewer."""
    order = np.lexsort((ids, distances))[:k]
    short = (0, k - len(order))
    found = np.pad(distances[order], short, constant_values=np.inf).astype(np.float32)
    return found, np.pad(ids[order].astype(np.int64), short, constant_values=-1)


class Least:
    """The `room` least of each of `count` rows of distances whose columns come in blocks."""

    def __init__(self, count: int, room: int) -> None:
        self.native, self.room = library(), room
        self.distances: Array = np.empty((count, 0), np.float32)
        self.ids: Array = np.empty((count, 0), np.int64)
        self.held, self.heaps = np.zeros(count, np.int64), np.empty((count, room), np.uint64)

    def add(self, rows: Array, start: int) -> None:
        """A block (count, m) float32: the columns from `start` on."""
        if self.native is not None:
            call(self.native.keep_rows, rows, *rows.shape, start, self.room, self.held, self.heaps)
            return
        ids = np.broadcast_to(np.arange(start, start + rows.shape[1]), rows.shape)
        self.distances, self.ids = np.concatenate((self.distances, rows), 1), np.concatenate((self.ids, ids), 1)
        if self.ids.shape[1] > self.room:
            kept = np.argpartition(self.distances, self.room - 1, axis=1)[:, : self.room]
            self.distances, self.ids = (np.take_along_axis(a, kept, 1) for a in (self.distances, self.ids))

    def found(self) -> tuple[Array, Array]:
        """Distances in ascending order, and columns: (count, room) both. At least as many columns as room must have come."""
        if self.native is not None:
            distances, ids = np.empty(self.heaps.shape, np.float32), np.empty(self.heaps.shape, np.int64)
            call(self.native.report_rows, *self.heaps.shape, self.held, self.heaps, distances, ids)
            return distances, ids
        order = np.lexsort((self.ids, self.distances))
        return np.take_along_axis(self.distances, order, 1), np.take_along_axis(self.ids, order, 1)


def places(lists: Array, offsets: Array) -> Array:
    """Where the members of some lists lie, list by list; -1 is no list."""
    return np.concatenate(
        [np.arange(offsets[one], offsets[one + 1]) for one in lists if one >= 0] or [np.empty(0, int)]
    )


def scan_vectors(queries: Array, lists: Array, offsets: Array, vectors: Array, ids: Array, k: int) -> Found:
    """The k nearest of queries (n, d) in their lists (n, probes) int64; list l is rows offsets[l] … offsets[l + 1] of vectors and ids."""
    native = library()
    if native is None:
        return _joined(
            _in_lists(query, places(row, offsets), vectors, ids, k) for query, row in zip(queries, lists, strict=True)
        )
    distances, found, heap = _room(len(queries), k)
    sizes = (*queries.shape, lists, lists.shape[1], offsets)
    return distances, found, call(native.scan_vectors, queries, *sizes, vectors, ids, k, heap, distances, found)


def _in_lists(query: Array, at: Array, vectors: Array, ids: Array, k: int) -> Found:
    apart = vectors[at] - query
    return *nearest(np.einsum("nd,nd->n", apart, apart), ids[at], k), len(at)


def scan_codes(tables: Array, codes: Array, k: int) -> Found:
    """The k nearest of queries with tables (n, M, ksub) float32 among codes (total, M) uint8, numbered as they lie."""
    native = library()
    if native is None:
        ids = np.arange(len(codes))
        return _joined((*nearest(_summed(table, codes, 0.0), ids, k), len(codes)) for table in tables)
    distances, found, heap = _room(len(tables), k)
    return (
        distances,
        found,
        call(native.scan_codes, tables, *tables.shape, codes, len(codes), k, heap, distances, found),
    )


def scan_residuals(
    products: Array, lists: Array, bases: Array, terms: Array, offsets: Array, codes: Array, ids: Array, k: int
) -> Found:
    """The same in lists (n, probes), where the table of a query in a list is terms[list] + products[query], both (…, M, ksub).

    bases   (n, probes) what is added to each sum of a list
    """
    native = library()
    if native is None:
        return _joined(
            _residuals(*query, terms, offsets, codes, ids, k) for query in zip(products, lists, bases, strict=True)
        )
    distances, found, heap = _room(len(products), k)
    table = np.empty(products.shape[1:], np.float32)
    sizes = (*products.shape, lists, bases, lists.shape[1], terms, table, offsets)
    return distances, found, call(native.scan_residuals, products, *sizes, codes, ids, k, heap, distances, found)


def _residuals(
    product: Array, lists: Array, bases: Array, terms: Array, offsets: Array, codes: Array, ids: Array, k: int
) -> Found:
    at = places(lists, offsets)
    sums = [
        _summed(terms[one] + product, codes[offsets[one] : offsets[one + 1]], base)
        for one, base in zip(lists, bases, strict=True)
        if one >= 0
    ]
    return *nearest(np.concatenate(sums), ids[at], k), len(at)


def _summed(table: Array, codes: Array, base: float) -> Array:
    """base + Σ_j table[j, code_j] of each code, and not below 0, where rounding may lead."""
    parts = np.take_along_axis(table.T, codes.astype(np.int64), 0)
    sums: Array = np.maximum(parts.sum(1) + np.float32(base), 0)
    return sums


def _room(n: int, k: int) -> tuple[Array, Array, Array]:
    return np.empty((n, k), np.float32), np.empty((n, k), np.int64), np.empty(k, np.uint64)


def _joined(found: Iterable[Found]) -> Found:
    distances, ids, computed = zip(*found, strict=True)
    return np.stack(distances), np.stack(ids), sum(computed)
