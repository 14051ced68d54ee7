"""Exact search: every query beside every vector, as matrix products, and a proof for each answer.

Idea      |q - x|² = |q|² - 2 q·x + |x|² makes all distances one matrix product, which runs at the speed of the machine. It also rounds
          badly: where |q|² is large and the distance small, the digits cancel. So the product only proposes somewhat more than k
          candidates. Their distances are computed again in float64, from differences. If the k-th is nearer than everything that was
          not proposed can be, by a bound of the rounding, the answer is exact; if not, that query looks at all vectors in float64.
Equation  |fl(|x|² - 2 q·x) + |q|² - |q - x|²| ≤ (d + 8) u (|q| + |x|)²,   u = 2⁻²⁴
Paper     N. Higham, "Accuracy and stability of numerical algorithms", 2nd edition, 2002, section 3.1 (the error of an inner product).
Cost      `flat_cost`: n distances a query, 4 d bytes a vector and 4 for its square. A search holds blocks of 256 × 16,384 numbers.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np

from mlsys_core.retrieval.index import Array, Index, Stored
from mlsys_core.retrieval.scan import Least

QUERIES, VECTORS = 256, 16384  # of a block
NUMBERS = 2**22  # of the candidates' coordinates at a time
SPARE = 8  # candidates beyond k
UNIT = 2.0**-24


def flat_cost(n: int, d: int) -> dict[str, float]:
    """Bytes of the index, and distances that a query computes."""
    return {"bytes": 4 * n * (d + 1), "ndis": n}


class _Flat(Index):
    """Vectors as they are; a subclass says what is near."""

    def __init__(self, d: int) -> None:
        super().__init__(d)
        self.vectors = np.empty((0, d), np.float32)
        self.norms = np.empty(0, np.float32)

    @property
    def ntotal(self) -> int:
        """How many vectors were added."""
        return len(self.vectors)

    def reconstruct_batch(self, ids: Array) -> Array:
        """The vectors with these numbers."""
        return self.vectors[ids]

    def parameters(self) -> dict[str, Any]:
        """Only d."""
        return {"d": self.d}

    def arrays(self) -> dict[str, Array]:
        """The vectors."""
        return {"vectors": self.vectors}

    def derived(self) -> dict[str, Array]:
        """Squared lengths."""
        return {"norms": self.norms}

    @classmethod
    def restored(cls, stored: Stored) -> Self:
        """The index of these vectors."""
        index = cls(stored.number("d"))
        index.add(stored.take("vectors", np.float32, -1, index.d))
        return index

    def _add(self, x: Array) -> None:
        self.vectors = np.concatenate((self.vectors, x)) if self.ntotal else x.copy()
        norms = np.einsum("nd,nd->n", x, x)
        self.norms = np.concatenate((self.norms, norms))

    def _search(self, x: Array, k: int) -> tuple[Array, Array]:
        step = max(1, min(QUERIES, NUMBERS // (self.d * (k + SPARE))))
        found = [self._block(x[at : at + step], min(k, self.ntotal)) for at in range(0, len(x), step)]
        self.ndis = len(x) * self.ntotal
        short = max(0, k - self.ntotal)
        distances, ids = (np.concatenate(column) for column in zip(*found, strict=True))
        return (
            np.pad(self._shown(distances), ((0, 0), (0, short)), constant_values=self.FAR).astype(np.float32),
            np.pad(ids, ((0, 0), (0, short)), constant_values=-1),
        )

    def _block(self, x: Array, k: int) -> tuple[Array, Array]:
        """Of a few queries, the k nearest in float64."""
        wide = min(self.ntotal, k + SPARE)
        rough, ids = self._candidates(x, wide)
        exact = self._exact(x[:, None], self.vectors[ids])
        order = np.lexsort((ids, exact))[:, :k]
        exact, ids = (np.take_along_axis(a, order, 1) for a in (exact, ids))
        if wide < self.ntotal:
            for row in np.flatnonzero(exact[:, -1:] >= self._at_least(x, rough[:, -1:])):
                exact[row], ids[row] = self._everything(x[row], k)
        return exact, ids

    def _candidates(self, x: Array, wide: int) -> tuple[Array, Array]:
        """The `wide` nearest by the product, and its values."""
        least = Least(len(x), wide)
        for start in range(0, self.ntotal, VECTORS):
            least.add(self._rough(x, start, start + VECTORS), start)
        return least.found()

    def _everything(self, query: Array, k: int) -> tuple[Array, Array]:
        """The k nearest of all, in float64; of equal ones those with the lowest numbers."""
        blocks = (self.vectors[at : at + VECTORS] for at in range(0, self.ntotal, VECTORS))
        exact = np.concatenate([self._exact(query, block) for block in blocks])
        ids = np.flatnonzero(exact <= np.partition(exact, k - 1)[k - 1])
        ids = ids[np.lexsort((ids, exact[ids]))][:k]
        return exact[ids], ids

    @abstractmethod
    def _rough(self, x: Array, start: int, stop: int) -> Array:
        """What orders vectors as their distances do, but for its error, in float32 by a product: (n, stop - start)."""

    @abstractmethod
    def _exact(self, x: Array, vectors: Array) -> Array:
        """What is least for the nearest, in float64 from the numbers themselves; x and vectors are broadcast."""

    @abstractmethod
    def _at_least(self, x: Array, rough: Array) -> Array:
        """What an exact value is at least, where the rough one is this: (n, …) for queries (n, d)."""

    def _shown(self, found: Array) -> Array:
        return found


class IndexFlatL2(_Flat):
    """The nearest by squared Euclidean distance, exactly."""

    def _rough(self, x: Array, start: int, stop: int) -> Array:
        # without |q|², which is the same for all vectors
        rough: Array = (-2 * x) @ self.vectors[start:stop].T
        rough += self.norms[start:stop]
        return rough

    def _exact(self, x: Array, vectors: Array) -> Array:
        apart = x.astype(np.float64) - vectors
        exact: Array = np.einsum("...d,...d->...", apart, apart)
        return exact

    def _at_least(self, x: Array, rough: Array) -> Array:
        length = np.linalg.norm(x.astype(np.float64), axis=1)[:, None]
        least: Array = length**2 + rough - (self.d + 8) * UNIT * (length + np.sqrt(self.norms.max())) ** 2
        return least


class IndexFlatIP(_Flat):
    """The largest inner products, exactly; D is the product, from the largest on. Of vectors of length 1 these are the nearest."""

    FAR: ClassVar[float] = -np.inf

    def _rough(self, x: Array, start: int, stop: int) -> Array:
        return np.negative(x @ self.vectors[start:stop].T)

    def _exact(self, x: Array, vectors: Array) -> Array:
        exact: Array = -np.einsum("...d,...d->...", x.astype(np.float64), vectors.astype(np.float64))
        return exact

    def _at_least(self, x: Array, rough: Array) -> Array:
        length = np.linalg.norm(x.astype(np.float64), axis=1)[:, None]
        least: Array = rough - (self.d + 8) * UNIT * length * np.sqrt(self.norms.max())
        return least

    def _shown(self, found: Array) -> Array:
        return -found
