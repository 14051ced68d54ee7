"""Random inputs for each operation of Task 1: `CASES[op](rng)` gives its inputs and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from graphs import some_shape

Case = tuple[list[np.ndarray], dict[str, Any]]


def away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Positive values from 0.3 to 2."""
    return np.asarray(rng.uniform(0.3, 2.0, size=shape))


def _pair(rng: np.random.Generator) -> Case:
    shape = some_shape(rng)
    return [np.asarray(rng.normal(size=shape)), away_from_zero(rng, shape)], {}


def _pow(rng: np.random.Generator) -> Case:
    return [away_from_zero(rng, some_shape(rng))], {"exponent": float(rng.choice([-1.5, 0.5, 2.0, 3.0]))}


def _reduction(rng: np.random.Generator) -> Case:
    shape = some_shape(rng, 2, 3)
    return [np.asarray(rng.normal(size=shape))], {
        "axis": int(rng.integers(0, len(shape))),
        "keepdims": bool(rng.integers(2)),
    }


def _broadcast(rng: np.random.Generator) -> Case:
    rows, columns, batch = (int(n) for n in rng.permutation([2, 3, 4]))
    return [np.asarray(rng.normal(size=(rows, 1)))], {"shape": [batch, rows, columns]}


def _transpose(rng: np.random.Generator) -> Case:
    rotation = [[1, 2, 0], [2, 0, 1]][int(rng.integers(2))]
    return [np.asarray(rng.normal(size=tuple(int(n) for n in rng.permutation([2, 3, 4]))))], {"axes": rotation}


def _getitem(rng: np.random.Generator) -> Case:
    return [np.asarray(rng.normal(size=(6, 3)))], {"index": [{"start": 1, "stop": 6, "step": 2}, int(rng.integers(3))]}


def _matmul(rng: np.random.Generator) -> Case:
    m, k, n = (int(size) for size in rng.permutation([2, 3, 4]))
    return [np.asarray(rng.normal(size=(m, k))), np.asarray(rng.normal(size=(k, n)))], {}


def _softmax(rng: np.random.Generator) -> Case:
    return [np.asarray(rng.normal(size=some_shape(rng, 2, 2)))], {"axis": -1}


def _layer_norm(rng: np.random.Generator) -> Case:
    rows, n = (int(size) for size in rng.permutation([3, 5]))
    x = rng.normal(size=(rows, n))
    return [x, np.asarray(rng.normal(size=n)), np.asarray(rng.normal(size=n))], {"eps": 1e-3}


CASES: dict[str, Callable[[np.random.Generator], Case]] = {
    "sub": _pair,
    "div": _pair,
    "pow": _pow,
    "log": lambda rng: ([away_from_zero(rng, some_shape(rng))], {}),
    "tanh": lambda rng: ([np.asarray(rng.normal(size=some_shape(rng)))], {}),
    "broadcast_to": _broadcast,
    "sum": _reduction,
    "max": _reduction,
    "transpose": _transpose,
    "getitem": _getitem,
    "matmul": _matmul,
    "softmax": _softmax,
    "logsumexp": _reduction,
    "layer_norm": _layer_norm,
}
NAMES: dict[str, tuple[str, ...]] = {
    "sub": ("gradient of a", "gradient of b"),
    "div": ("gradient of a", "gradient of b"),
    "matmul": ("gradient of a", "gradient of b"),
    "layer_norm": ("gradient of x", "gradient of weight", "gradient of bias"),
}


def names_of(op: str) -> tuple[str, ...]:
    """What an operation's gradients are called in messages."""
    return NAMES.get(op, ("gradient of x",))
