"""k-means: k points that stand for many, moved until nothing gets nearer.

Idea      Each vector goes to its nearest centroid; each centroid moves to the mean of what came to it. Neither step can make the sum of
          squared distances larger, so it falls until it stands. A centroid to which nothing came moves onto the vector that is farthest
          from its own: that cannot make the sum larger either.
Equation  a_i = argmin_j |x_i - c_j|²;   c_j = mean of x_i with a_i = j;   objective = Σ |x_i - c_{a_i}|²
Paper     S. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28, 1982.
Cost      `kmeans_cost`: n k d multiplications an iteration, as one matrix product.

Iterations learn from a sample of at most 256 vectors a centroid, as Faiss does: more change little and cost much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mlsys_core.retrieval.index import Array
from mlsys_core.retrieval.native import call, library

BLOCK = 2**22  # distances at a time
NARROW = 16  # numbers of a vector, up to which a loop is faster than a product


def kmeans_cost(n: int, d: int, k: int, niter: int = 25, max_points_per_centroid: int = 256) -> int:
    """Floating-point operations of training: 2 d for each sampled vector, centroid and iteration."""
    return 2 * d * k * niter * min(n, k * max_points_per_centroid)


class Kmeans:
    """k centroids of d numbers.

    niter       iterations
    seed        of the sample, and of the vectors at which centroids begin
    centroids   (k, d) float32 after `train`
    obj         the objective before each move of the centroids, and at the end
    """

    def __init__(
        self, d: int, k: int, *, niter: int = 25, seed: int = 1234, max_points_per_centroid: int = 256
    ) -> None:
        if min(d, k, niter, max_points_per_centroid) < 1:
            raise ValueError(f"{k} centroids of {d} numbers in {niter} iterations are none: give at least one of each.")
        self.d, self.k, self.niter, self.seed = d, k, niter, seed
        self.max_points_per_centroid = max_points_per_centroid
        self.centroids = np.empty((0, d), np.float32)
        self.obj: list[float] = []

    def train(self, x: ArrayLike) -> float:
        """Learns from x (n, d), n ≥ k; returns the objective at the end. Raises ValueError for fewer vectors or another shape."""
        vectors = np.ascontiguousarray(x, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.d or len(vectors) < self.k:
            raise ValueError(
                f"{self.k} centroids of {self.d} numbers cannot be learned from {vectors.shape}: give at least as many vectors."
            )
        rng = np.random.default_rng(self.seed)
        most = self.k * self.max_points_per_centroid
        if len(vectors) > most:
            vectors = vectors[rng.permutation(len(vectors))[:most]]
        self.centroids = vectors[rng.permutation(len(vectors))[: self.k]]
        columns = np.ascontiguousarray(vectors.T)
        nearest, apart = self._assigned(vectors)
        for _ in range(self.niter):
            self.centroids = _moved(self.centroids, vectors, columns, nearest, apart)
            nearest, apart = self._assigned(vectors)
        return self.obj[-1]

    def assign(self, x: ArrayLike) -> Array:
        """The nearest centroid of each vector (n, d): numbers (n,) int64."""
        return nearest_centroid(np.ascontiguousarray(x, np.float32), self.centroids)

    def _assigned(self, vectors: Array) -> tuple[Array, Array]:
        nearest = nearest_centroid(vectors, self.centroids)
        difference = vectors - self.centroids[nearest]
        apart = np.einsum("nd,nd->n", difference, difference)
        self.obj.append(float(apart.sum(dtype=np.float64)))
        return nearest, apart


def nearest_centroid(x: Array, centroids: Array) -> Array:
    """The nearest of centroids (k, d) for each of x (n, d), within what float32 rounds; the lower number of equal ones."""
    # seen from one of the centroids: far from zero, the digits of a product are not those of a distance
    vectors, centroids = np.ascontiguousarray(x - centroids[0]), centroids - centroids[0]
    half = np.einsum("kd,kd->k", centroids, centroids) / 2
    nearest = np.empty(len(vectors), np.int64)
    native = library()
    if native is not None and centroids.shape[1] <= NARROW:
        more = -len(centroids) % 64
        columns = np.ascontiguousarray(np.pad(centroids, ((0, more), (0, 0))).T)
        filled = np.pad(half, (0, more), constant_values=np.inf)
        call(native.nearest_centroids, vectors, *vectors.shape, columns, filled, len(filled), nearest)
        return nearest
    step = max(1, BLOCK // len(centroids))
    for start in range(0, len(vectors), step):
        # |x - c|² / 2 without |x|² / 2, which is the same for all centroids
        rough = vectors[start : start + step] @ -centroids.T
        rough += half
        rough.argmin(1, out=nearest[start : start + step])
    return nearest


def _moved(centroids: Array, vectors: Array, columns: Array, nearest: Array, apart: Array) -> Array:
    """The means, summed in float64; centroids without vectors go to the vectors that are farthest from their own."""
    k = len(centroids)
    counts = np.bincount(nearest, minlength=k)
    sums = np.stack([np.bincount(nearest, weights=column, minlength=k) for column in columns], 1)
    moved: Array = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    empty = np.flatnonzero(counts == 0)
    moved[empty] = vectors[np.argsort(-apart, kind="stable")[: len(empty)]]
    return moved
