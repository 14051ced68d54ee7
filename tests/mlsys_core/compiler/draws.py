"""Random definitions and random schedules of them: primitives drawn one after the other, illegal ones passed over."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from mlsys_core.compiler import operators as ops
from mlsys_core.compiler.ir import Tensor, compute, placeholder
from mlsys_core.compiler.loops import ScheduleError
from mlsys_core.compiler.schedule import Schedule

SIZES = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 12, 13])
PRIMITIVES = (
    "split",
    "split",
    "split",
    "reorder",
    "reorder",
    "fuse",
    "tile",
    "unroll",
    "vectorize",
    "parallel",
    "pack",
    "hold",
)


def product(m: int, k: int, n: int, dtype: str) -> Tensor:
    return ops.matmul(placeholder("A", (m, k), dtype), placeholder("B", (k, n), dtype))


def batched(m: int, k: int, n: int, dtype: str) -> Tensor:
    return ops.batched_matmul(placeholder("A", (2, m, k), dtype), placeholder("B", (2, k, n), dtype))


def convolution(m: int, k: int, n: int, dtype: str) -> Tensor:
    x, kernel = placeholder("A", (2, 2, m, n), dtype), placeholder("B", (2, 2, 3, min(k, 3)), dtype)
    return ops.conv2d(x, kernel, stride=2, padding=2, name="C")


def largest(m: int, k: int, n: int, dtype: str) -> Tensor:
    return ops.row_reduce("max", placeholder("A", (m, k + n), dtype), "C")


def chain(m: int, k: int, n: int, dtype: str) -> Tensor:
    a, b = placeholder("A", (m, n), dtype), placeholder("B", (m, n), dtype)
    return ops.elementwise("C", lambda x, y: ops.maximum(x * y - 3, x) + y, a, b)


def transposed(m: int, k: int, n: int, dtype: str) -> Tensor:
    a = placeholder("A", (n, m), dtype)
    return compute("C", (m, n), lambda i, j: a[j, i] * 2)


DEFINITIONS = (product, batched, convolution, largest, chain, transposed)


@st.composite
def definitions(draw, dtypes=("int32", "int64", "float32", "float64")) -> Tensor:
    """A definition of a small, often uneven, sometimes 1-sized shape; inputs are called A and B, the result C."""
    made = draw(st.sampled_from(DEFINITIONS))
    return made(draw(SIZES), draw(SIZES), draw(SIZES), draw(st.sampled_from(dtypes)))


@st.composite
def schedules(draw, tensor: Tensor) -> Schedule:
    """A schedule of a definition after up to fourteen random primitives."""
    schedule = Schedule(tensor)
    for _ in range(draw(st.integers(0, 14))):
        try:
            _step(draw, schedule)
        except ScheduleError:
            continue
    return schedule


def _step(draw, schedule: Schedule) -> None:
    stage, name = schedule["C"], draw(st.sampled_from(PRIMITIVES))
    loop = draw(st.sampled_from(stage.order))
    at = stage.order.index(loop)
    if name == "split":
        stage.split(loop, draw(st.sampled_from([1, 2, 3, 4, 5, 8, 16])))
    elif name == "reorder":
        stage.reorder(*draw(st.permutations(stage.order)))
    elif name == "fuse" and at + 1 < len(stage.order):
        stage.fuse(loop, stage.order[at + 1])
    elif name == "tile" and at + 1 < len(stage.order):
        stage.tile(loop, stage.order[at + 1], draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    elif name == "vectorize":
        stage.vectorize(stage.order[-1])
    elif name == "pack":
        stage.pack(draw(st.sampled_from(["A", "B"])), loop)
    elif name in {"unroll", "parallel", "hold"}:
        getattr(stage, name)(loop)


def inputs_of(schedule: Schedule, seed: int) -> dict[str, np.ndarray]:
    """Whole numbers from -4 to 4, whose sums of products are exact in every dtype, whatever their order."""
    rng = np.random.default_rng(seed)
    return {name: rng.integers(-4, 5, t.shape).astype(t.dtype) for name, t in schedule.inputs.items()}
