"""Vectors for the tests, and the answer that everybody believes: all distances in float64, sorted."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from mlsys_core.retrieval import (
    Index,
    IndexFlatIP,
    IndexFlatL2,
    IndexHNSWFlat,
    IndexIVFFlat,
    IndexIVFPQ,
    IndexPQ,
)

KINDS = ("IndexFlatL2", "IndexFlatIP", "IndexIVFFlat", "IndexPQ", "IndexIVFPQ", "IndexHNSWFlat")


def clustered(n: int, d: int, seed: int, *, centers: int = 20) -> np.ndarray:
    """Gaussian clouds, as embeddings have them."""
    rng = np.random.default_rng(seed)
    middles = rng.standard_normal((centers, d)) * 2
    return (middles[rng.integers(centers, size=n)] + rng.standard_normal((n, d))).astype(np.float32)


def grid(n: int, d: int, seed: int, *, most: int = 3) -> np.ndarray:
    """Small whole numbers: every distance is exact in float32, in whatever order it is summed, and many are equal."""
    return np.random.default_rng(seed).integers(-most, most + 1, (n, d)).astype(np.float32)


def brute(queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest by squared distance in float64, of equal ones the lower number."""
    return sorted_out(cdist(queries.astype(np.float64), vectors.astype(np.float64), "sqeuclidean"), k)


def sorted_out(distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k least of each row, of equal ones the lower column."""
    ids = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, ids, 1), ids


def made(kind: str, d: int) -> Index:
    """A small index of a kind, with settings that are not the defaults."""
    if kind == "IndexIVFFlat":
        index: Index = IndexIVFFlat(IndexFlatL2(d), d, 7)
        index.nprobe = 3
    elif kind == "IndexIVFPQ":
        index = IndexIVFPQ(IndexHNSWFlat(d, 4), d, 7, d // 2, 5)
        index.nprobe = 3
    elif kind == "IndexHNSWFlat":
        index = IndexHNSWFlat(d, 5)
        index.hnsw.efConstruction, index.hnsw.efSearch = 17, 19
    else:
        index = {"IndexFlatL2": IndexFlatL2, "IndexFlatIP": IndexFlatIP, "IndexPQ": lambda d: IndexPQ(d, d // 2, 5)}[
            kind
        ](d)
    return index


def filled(kind: str, x: np.ndarray) -> Index:
    """The same, trained on x and with x in it."""
    index = made(kind, x.shape[1])
    index.train(x)
    index.add(x)
    return index
