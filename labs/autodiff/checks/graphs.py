"""Random inputs: shapes, indices and computation graphs, all from the check's own generator."""

from __future__ import annotations

from typing import Any

import numpy as np

Steps = list[list[Any]]


def some_shape(rng: np.random.Generator, low: int = 1, high: int = 3) -> tuple[int, ...]:
    """`low` to `high` axes of different sizes from 2 to 5, so that a transposed result cannot pass."""
    sizes = rng.permutation([2, 3, 4, 5])
    return tuple(int(size) for size in sizes[: rng.integers(low, high + 1)])


def graph(rng: np.random.Generator, leaves: int, length: int) -> Steps:
    """A random graph over `leaves` leaves of one shape; its last value depends on every leaf and every step.

    `exp` is only taken of a sine, so values stay moderate.
    """
    steps: Steps = []
    for _ in range(length):
        _grow(rng, steps, leaves)
    used = {i for step in steps for i in step[1:]}
    last = leaves + len(steps) - 1
    for loose in [number for number in range(last) if number not in used]:
        steps.append(["add", loose, leaves + len(steps) - 1])
    return steps


def _grow(rng: np.random.Generator, steps: Steps, leaves: int) -> None:
    count = leaves + len(steps)
    op = str(rng.choice(["add", "mul", "neg", "sin", "exp"]))
    a, b = (int(i) for i in rng.integers(max(0, count - 5), count, size=2))
    if op in {"add", "mul"}:
        steps.append([op, a, b])
        if op == "mul":
            steps.append(["sin", count])
    elif op == "exp":
        steps.extend([["sin", a], ["exp", count]])
    else:
        steps.append([op, a])


def shared(steps: Steps, leaves: int) -> Steps:
    """The graph with two more steps that use leaf 0 again, and the value before them twice."""
    last = leaves + len(steps) - 1
    return [*steps, ["mul", last, 0], ["mul", last + 1, last]]


def ladder(rungs: int) -> Steps:
    """y ← y + y, `rungs` times: as many nodes as rungs, but 2^rungs paths."""
    return [["add", i, i] for i in range(rungs)]


def chain(rng: np.random.Generator, length: int) -> Steps:
    """A straight line of operations over one leaf; its derivative is ±1 or a cosine here and there."""
    bends = {int(i) for i in rng.integers(0, length, size=5)}
    return [["sin" if i in bends else "neg", i] for i in range(length)]


def wide(rng: np.random.Generator, leaves: int, chains: int, length: int) -> Steps:
    """`chains` chains x ← sin(x ⊙ leaf) of `length` steps over shared leaves, added up."""
    steps: Steps = []
    ends = []
    for _ in range(chains):
        at = int(rng.integers(leaves))
        for _ in range(length // 2):
            steps.append(["mul", at, int(rng.integers(leaves))])
            steps.append(["sin", leaves + len(steps) - 1])
            at = leaves + len(steps) - 1
        ends.append(at)
    total = ends[0]
    for end in ends[1:]:
        steps.append(["add", total, end])
        total = leaves + len(steps) - 1
    return steps


def scalar_function(rng: np.random.Generator, size: int, hidden: int, layers: int) -> Steps:
    """Layers of matrix, sine and exponential over one vector leaf, summed up to one element: a function with a full Hessian."""
    steps: Steps = []
    width = size
    for _ in range(layers):
        matrix = rng.normal(size=(hidden, width)) / np.sqrt(width)
        at = len(steps)
        steps.extend([["linear", at, matrix], ["sin", at + 1], ["exp", at + 2], ["mul", at + 2, at + 3]])
        width = hidden
    return [*steps, ["linear", len(steps), rng.normal(size=(1, width))]]


def arrays(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Normal arrays of one shape."""
    return [np.asarray(rng.normal(size=shape)) for _ in range(count)]
