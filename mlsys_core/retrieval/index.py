"""What every index of vectors does: it is trained, takes vectors, and finds the nearest to a query.

Idea      One shape for all methods, that of the Faiss library: a program changes its index by changing one line. An index says how
          many distances it computed, since that, unlike seconds, is the same on every machine.
Equation  I[q] = the k numbers i with the least (D(x_q, x_i), i), in that order;   D = Σ (x_q - x_i)²
          recall@k = mean over q of |I[q] ∩ truth[q]| / k
Paper     M. Douze et al., "The Faiss library", arXiv 2401.08281, 2024; J. Johnson, M. Douze, H. Jégou, "Billion-scale similarity
          search with GPUs", IEEE Transactions on Big Data 7, 2021.
Cost      Said by each index.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
LARGEST = 1e15  # a coordinate's size: the square of a distance has to be a float32
MOST = 2**31 - 1  # vectors: their numbers have 32 bits


class Index(ABC):
    """Vectors of d float32 numbers, numbered in the order in which they were added.

    ntotal      how many there are
    is_trained  whether vectors can be added
    ndis        distances that the last `add` or `search` computed
    """

    FAR: ClassVar[float] = np.inf  # the distance of what was not found

    def __init__(self, d: int) -> None:
        if d < 1:
            raise ValueError(f"Vectors of {d} numbers cannot be told apart: give d of at least 1.")
        self.d, self.ndis = d, 0

    @property
    @abstractmethod
    def ntotal(self) -> int:
        """How many vectors were added."""

    @property
    def is_trained(self) -> bool:
        """Whether vectors can be added; an index that learns nothing always is."""
        return True

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays that the index keeps in memory."""
        own = sum(array.nbytes for array in (*self.arrays().values(), *self.derived().values()))
        return own + sum(part.nbytes for part in self.parts().values())

    def train(self, x: ArrayLike) -> None:
        """Learns what the index needs from x (n, d). One that learns nothing only looks at the shape."""
        self._train(self.vectors_of(x))

    def add(self, x: ArrayLike) -> None:
        """Adds x (n, d), which get the numbers from `ntotal` on. Raises ValueError before `train` where that is needed."""
        vectors = self.vectors_of(x)
        self._must_be_trained()
        if self.ntotal + len(vectors) > MOST:
            raise ValueError(
                f"{self.ntotal + len(vectors)} vectors are more than {MOST}: use several indices and join what they find."
            )
        self.ndis = 0
        if len(vectors):
            self._add(vectors)

    def search(self, x: ArrayLike, k: int) -> tuple[Array, Array]:
        """The k nearest of each query x (n, d): distances D (n, k) float32 from the nearest on, and numbers I (n, k) int64.

        Of equal distances the lower number comes first. Where fewer than k are found, the rest has number -1 and an infinite distance.
        """
        queries = self.vectors_of(x)
        self._must_be_trained()
        if k < 1:
            raise ValueError(f"The {k} nearest were asked for: give k of at least 1.")
        self.ndis = 0
        if self.ntotal and len(queries):
            return self._search(queries, k)
        return np.full((len(queries), k), self.FAR, np.float32), np.full((len(queries), k), -1, np.int64)

    def vectors_of(self, x: ArrayLike) -> Array:
        """x as C-contiguous float32 (n, d); raises ValueError where it is not that, or not finite."""
        given = np.asarray(x)
        if given.ndim != 2 or given.shape[1] != self.d or given.dtype.kind not in "fiu":
            raise ValueError(
                f"This index takes numbers of shape (n, {self.d}), and was given {given.dtype} of shape {given.shape}."
            )
        if given.size and not max(float(given.max()), -float(given.min())) <= LARGEST:
            raise ValueError(
                f"Some numbers are NaN, infinite or larger than {LARGEST:g}, so distances mean nothing: clean the vectors first."
            )
        return np.ascontiguousarray(given, np.float32)

    @abstractmethod
    def reconstruct_batch(self, ids: Array) -> Array:
        """The vectors (n, d) with these numbers (n,), as far as the index kept them."""

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """What the constructor needs, and what was set after it, as JSON has it."""

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """All that the index learned and stores, by name."""

    def derived(self) -> dict[str, Array]:
        """What the index keeps beside them, because it would take time to compute it again."""
        return {}

    def parts(self) -> dict[str, Index]:
        """Indices within this one, by name."""
        return {}

    @classmethod
    @abstractmethod
    def restored(cls, stored: Stored) -> Self:
        """The index that had these. Raises ValueError where they do not belong together."""

    def _train(self, x: Array) -> None:  # noqa: B027 - some indices learn nothing
        """Learns from checked vectors."""

    @abstractmethod
    def _add(self, x: Array) -> None:
        """Adds checked vectors, at least one."""

    @abstractmethod
    def _search(self, x: Array, k: int) -> tuple[Array, Array]:
        """Searches for checked queries, at least one, in an index that is not empty; sets `ndis`."""

    def _must_be_trained(self) -> None:
        if not self.is_trained:
            raise ValueError(f"{type(self).__name__} has learned nothing yet: call train with some vectors first.")


@dataclass(frozen=True)
class Stored:
    """What a file says of an index: nothing of it is believed before it was looked at."""

    parameters: dict[str, Any]
    arrays: dict[str, Array]
    parts: dict[str, Index]

    def number(self, name: str) -> int:
        """A parameter that is a whole number; raises ValueError where it is missing or another thing."""
        value = self.parameters.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"its {name} is {value!r}, where a whole number belongs")  # noqa: TRY004 - a fault of the file
        return value

    def part(self, name: str) -> Index:
        """An index within this one; raises ValueError where it is missing."""
        if name not in self.parts:
            raise ValueError(f"it has no {name}")
        return self.parts[name]

    def take(self, name: str, dtype: Any, *shape: int) -> Array:
        """An array; -1 in the shape means any length. Raises ValueError where it is missing or another one."""
        array = self.arrays.get(name)
        if array is None:
            raise ValueError(f"it has no array {name!r}")
        fits = array.ndim == len(shape) and all(w in {-1, n} for w, n in zip(shape, array.shape, strict=True))
        if array.dtype != np.dtype(dtype) or not fits:
            raise ValueError(f"its {name} is {array.dtype} {array.shape}, where {np.dtype(dtype)} {shape} belongs")
        return np.ascontiguousarray(array)


def recall(found: ArrayLike, truth: ArrayLike) -> float:
    """The part of the true nearest that was found: numbers (n, k) beside numbers (n, k), whatever their order; -1 is nothing."""
    ours, theirs = np.asarray(found), np.asarray(truth)
    if ours.shape != theirs.shape or ours.ndim != 2 or not ours.size:
        raise ValueError(f"Numbers of shape {ours.shape} cannot be compared with {theirs.shape}: give two of (n, k).")
    hits = sum(len(np.intersect1d(a[a >= 0], b)) for a, b in zip(ours, theirs, strict=True))
    return hits / theirs.size
