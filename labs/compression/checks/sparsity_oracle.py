"""Task 5: what masks are by their definitions, what two of four stand for, and looking at what came back."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


def correlated(rng: np.random.Generator, samples: int, width: int, common: float = 0.0) -> Array:
    """Inputs (samples, width) that depend on each other, and each a little on nothing else: no draw is close to singular."""
    mixed = rng.normal(size=(samples, width)) @ (rng.normal(size=(width, width)) + common)
    return np.asarray(mixed + rng.normal(size=(samples, width)))


def without_smallest(scores: Array, count: int) -> Array:
    """True but for the `count` smallest of all scores; of equals the first in memory go first."""
    order = sorted(range(scores.size), key=lambda at: (scores.flat[at], at))
    mask = np.ones(scores.size, bool)
    mask[order[:count]] = False
    return mask.reshape(scores.shape)


def largest(weight: Array, sparsity: float) -> Array:
    """The mask of magnitudes over the whole matrix."""
    return without_smallest(np.abs(weight), round(sparsity * weight.size))


def n_of_m(scores: Array, n: int, m: int) -> Array:
    """Group by group."""
    groups = scores.reshape(-1, m)
    return np.array([without_smallest(one, m - n) for one in groups]).reshape(scores.shape)


def by_inputs(weight: Array, inputs: Array, sparsity: float) -> tuple[Array, Array]:
    """Scores and mask of Wanda."""
    lengths = [float(np.linalg.norm(column)) for column in inputs.T.astype(np.float64)]
    scores = np.abs(weight.astype(np.float64)) * np.array(lengths)
    return scores, np.array([without_smallest(row, round(sparsity * len(row))) for row in scores])


def fitted(weight: Array, inputs: Array, mask: Array) -> Array:
    """The best weights on a mask, by least squares on the inputs themselves."""
    best = np.zeros_like(weight)
    for row, stays in enumerate(mask):
        if stays.any():
            best[row, stays] = np.linalg.lstsq(inputs[:, stays], inputs @ weight[row], rcond=None)[0]
    return best


def output_error(new: Array, weight: Array, hessian: Array) -> float:
    """Squared error of the outputs."""
    difference = (new - weight).astype(np.float64)
    return float(np.einsum("ri,ij,rj->", difference, hessian.astype(np.float64), difference))


def two_of_four(rng: np.random.Generator, rows: int, width: int, dtype: str = "float16") -> Array:
    """A random weight with two values in each group of four."""
    weight = rng.normal(size=(rows, width)).astype(dtype)
    return np.where(n_of_m(rng.random((rows, width)), 2, 4), weight, np.zeros_like(weight))


def expanded(expect: Any, values: Any, positions: Any, shape: tuple[int, int]) -> Array:
    """What a compressed weight stands for; its parts are looked at first."""
    rows, width = shape
    for name, one, size in (("values", values, width // 2), ("positions", positions, width // 8)):
        is_array = isinstance(one, np.ndarray)
        expect.that(is_array and one.shape == (rows, size), f"{name} should have the shape {(rows, size)}")
    expect.that(positions.dtype == np.uint8, f"positions are {positions.dtype}, expected uint8")
    weight = np.zeros(shape, values.dtype)
    for row in range(rows):
        for group in range(width // 4):
            half = int(positions[row, group // 2]) >> 4 * (group % 2) & 15
            places = half & 3, half >> 2
            expect.that(places[0] < places[1], f"row {row}, group {group}: the places {places} do not rise")
            for at, place in enumerate(places):
                weight[row, 4 * group + place] = values[row, 2 * group + at]
    return weight
