"""Product quantization: a vector as M small numbers, and distances to codes by looking up M parts.

Idea      A vector is cut into M parts, and each part is replaced by the nearest of 2^nbits centroids that k-means found for that part. M
          bytes stand for d floats, and yet 2^(nbits · M) different vectors can be told apart. A query computes its parts' distances to
          all centroids once; after that, the distance to a code is a sum of M numbers from a table. The query itself is not rounded.
Equation  q(x) = (c_1[a_1], …, c_M[a_M]), a_j = argmin_a |x^j - c_j[a]|²;   D(y, x) ≈ |y - q(x)|² = Σ_j |y^j - c_j[a_j]|²
Paper     H. Jégou, M. Douze, C. Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI 33, 2011, sections II, III.
Cost      `pq_cost`: M bytes a vector, M additions a distance; 2^nbits · d multiplications a query for its table.

A code takes a whole byte, also where nbits is less than 8.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from mlsys_core.retrieval.index import Array, Index, Stored
from mlsys_core.retrieval.kmeans import Kmeans, nearest_centroid
from mlsys_core.retrieval.scan import scan_codes

TABLES = 2**22  # numbers in tables at a time


def pq_cost(n: int, d: int, M: int, nbits: int = 8) -> dict[str, float]:
    """Bytes of the index, distances to codes that a query sums up, and multiplications of its table."""
    return {"bytes": n * M + 4 * d * 2**nbits, "ndis": n, "table": d * 2**nbits}


class ProductQuantizer:
    """M quantizers of d / M numbers each.

    ksub, dsub  2^nbits centroids a part, d / M numbers a part
    centroids   (M, ksub, dsub) float32; no part before `train`
    """

    def __init__(self, d: int, M: int, nbits: int = 8) -> None:
        if M < 1 or d % M or not 1 <= nbits <= 8:
            raise ValueError(
                f"{d} numbers in {M} parts of {nbits} bits: M has to divide d, and nbits to be from 1 to 8, since a code is a byte."
            )
        self.d, self.M, self.nbits, self.ksub, self.dsub = d, M, nbits, 2**nbits, d // M
        self.niter, self.seed = 25, 1234
        self.centroids = np.empty((0, self.ksub, self.dsub), np.float32)

    def parts(self, x: Array) -> Array:
        """x (n, d) cut: (M, n, dsub)."""
        return x.reshape(len(x), self.M, self.dsub).swapaxes(0, 1)

    def train(self, x: Array) -> None:
        """k-means of each part of x (n, d), n ≥ ksub."""
        learned = []
        for number, part in enumerate(self.parts(x)):
            kmeans = Kmeans(self.dsub, self.ksub, niter=self.niter, seed=self.seed + number)
            kmeans.train(part)
            learned.append(kmeans.centroids)
        self.centroids = np.stack(learned)

    def compute_codes(self, x: Array) -> Array:
        """The nearest centroid of each part: (n, M) uint8."""
        codes = np.empty((len(x), self.M), np.uint8)
        for j, part in enumerate(self.parts(x)):
            codes[:, j] = nearest_centroid(part, self.centroids[j])
        return codes

    def decode(self, codes: Array) -> Array:
        """The vectors (n, d) that codes (n, M) stand for."""
        decoded: Array = self.centroids[np.arange(self.M), codes].reshape(len(codes), self.d)
        return decoded

    def products(self, x: Array) -> Array:
        """Inner products of the parts of x (n, d) with all centroids: (n, M, ksub)."""
        return np.ascontiguousarray((self.parts(x) @ self.centroids.swapaxes(1, 2)).swapaxes(0, 1))

    def norms(self) -> Array:
        """Squared lengths of the centroids (M, ksub)."""
        squares: Array = np.einsum("mkd,mkd->mk", self.centroids, self.centroids)
        return squares

    def compute_distance_tables(self, x: Array) -> Array:
        """Squared distances of the parts of x (n, d) to all centroids: (n, M, ksub)."""
        tables: Array = self.products(x)
        tables *= -2
        tables += self.norms()
        lengths = np.einsum("mnd,mnd->nm", self.parts(x), self.parts(x))
        tables += lengths[:, :, None]
        return np.maximum(tables, 0, out=tables)

    def distortion(self, x: Array) -> float:
        """The mean of |x - q(x)|² over x (n, d)."""
        apart = x.astype(np.float64) - self.decode(self.compute_codes(x))
        return float(np.einsum("nd,nd->", apart, apart)) / len(x)

    def restore(self, stored: Stored) -> None:
        """Takes centroids from a file."""
        centroids = stored.take("centroids", np.float32, -1, self.ksub, self.dsub)
        if len(centroids) not in {0, self.M}:
            raise ValueError(f"it has centroids for {len(centroids)} parts of {self.M}")
        self.centroids = centroids

    def check(self, codes: Array) -> None:
        """Raises ValueError where codes name a centroid that is not there."""
        if codes.size and (not len(self.centroids) or codes.max() >= self.ksub):
            raise ValueError(f"its codes reach {codes.max()}, and there are {self.ksub} centroids a part")


class IndexPQ(Index):
    """All vectors as codes, every one of them compared. D is the distance to what a code stands for."""

    def __init__(self, d: int, M: int, nbits: int = 8) -> None:
        super().__init__(d)
        self.pq = ProductQuantizer(d, M, nbits)
        self.codes = np.empty((0, M), np.uint8)

    @property
    def ntotal(self) -> int:
        """How many vectors were added."""
        return len(self.codes)

    @property
    def is_trained(self) -> bool:
        """Whether there are centroids."""
        return len(self.pq.centroids) > 0

    def reconstruct_batch(self, ids: Array) -> Array:
        """What the codes of these numbers stand for."""
        return self.pq.decode(self.codes[ids])

    def parameters(self) -> dict[str, Any]:
        """Sizes."""
        return {"d": self.d, "M": self.pq.M, "nbits": self.pq.nbits}

    def arrays(self) -> dict[str, Array]:
        """Centroids and codes."""
        return {"centroids": self.pq.centroids, "codes": self.codes}

    @classmethod
    def restored(cls, stored: Stored) -> Self:
        """The index of these codes."""
        index = cls(stored.number("d"), stored.number("M"), stored.number("nbits"))
        index.pq.restore(stored)
        index.codes = stored.take("codes", np.uint8, -1, index.pq.M)
        index.pq.check(index.codes)
        return index

    def _train(self, x: Array) -> None:
        if self.ntotal:
            raise ValueError("There are codes already, which other centroids would make wrong: train before add.")
        self.pq.train(x)

    def _add(self, x: Array) -> None:
        self.codes = np.concatenate((self.codes, self.pq.compute_codes(x)))

    def _search(self, x: Array, k: int) -> tuple[Array, Array]:
        step = max(1, TABLES // (self.pq.M * self.pq.ksub))
        distances, ids = np.empty((len(x), k), np.float32), np.empty((len(x), k), np.int64)
        for at in range(0, len(x), step):
            tables = self.pq.compute_distance_tables(x[at : at + step])
            distances[at : at + step], ids[at : at + step], computed = scan_codes(tables, self.codes, k)
            self.ndis += computed
        return distances, ids
