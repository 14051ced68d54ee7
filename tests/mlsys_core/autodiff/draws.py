"""Random arrays to differentiate at: lengths that differ, so that a transposed share cannot fit, in every layout of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Shape: TypeAlias = tuple[int, ...]

# nothing, one number, one element, nothing in one of several axes
EDGES: tuple[Shape, ...] = ((), (0,), (1,), (1, 1), (3, 0), (0, 3), (2, 0, 3))


def shape(rng: np.random.Generator, low: int = 0, high: int = 3) -> Shape:
    """Between low and high axes of different lengths; sometimes one of length 1."""
    lengths = rng.permutation([2, 3, 4, 5])[: rng.integers(low, high + 1)]
    if lengths.size and rng.random() < 0.2:
        lengths[rng.integers(lengths.size)] = 1
    return tuple(int(n) for n in lengths)


def narrowed(rng: np.random.Generator, full: Shape) -> Shape:
    """A shape that broadcasts to the full one: leading axes missing, others of length 1."""
    kept = full[rng.integers(len(full) + 1) :] if rng.random() < 0.5 else full
    return tuple(1 if rng.random() < 0.3 else n for n in kept)


def laid_out(rng: np.random.Generator, values: Array) -> Array:
    """Equal values in another memory: in rows, in columns, with gaps that hold NaN, or backwards."""
    kind = rng.integers(4)
    if kind == 0:
        return np.array(values, order="C")
    if kind == 1:
        return np.array(values, order="F")
    if kind == 2:
        wide = np.full([2 * n + 1 for n in values.shape], np.nan)
        view: Array = wide[(slice(1, None, 2), *[slice(1, None, 2)] * (values.ndim - 1))] if values.ndim else wide
        view[...] = values
        return view
    return np.asarray(np.flip(np.array(np.flip(values), order="C")))


def normal(rng: np.random.Generator, of: Sequence[int]) -> Array:
    """Standard normal numbers in a random layout."""
    return laid_out(rng, np.asarray(rng.standard_normal(tuple(of))))


def away(rng: np.random.Generator, of: Sequence[int], low: float = 0.4) -> Array:
    """Numbers of both signs no nearer to 0 than `low`, where quotients and kinks are far."""
    values = np.asarray(rng.standard_normal(tuple(of)))
    return laid_out(rng, np.asarray(np.copysign(low + np.abs(values), values)))


def positive(rng: np.random.Generator, of: Sequence[int], low: float = 0.4) -> Array:
    """Numbers above `low` in a random layout."""
    return laid_out(rng, np.asarray(low + rng.random(tuple(of))))


def integers(rng: np.random.Generator, of: Sequence[int]) -> Array:
    """Floating numbers among -1, 0 and 1, which tie."""
    return laid_out(rng, np.asarray(rng.integers(-1, 2, tuple(of)), dtype=np.float64))
