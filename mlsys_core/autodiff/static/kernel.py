"""A fused kernel: several elementwise steps in one pass over memory.

Idea      The pass goes tile by tile. A tile is small enough that what the steps write stays in the cache; only the leaves
          are read from memory, and only the last result is written to it. Where a C compiler is at hand and every step
          is exact arithmetic, the tile is one element and its intermediate values are registers (see native.py).
Equation  bytes moved = leaves + 1 result, instead of Σ over steps of (operands + result)
Paper     M. Wolfe, "More iteration space tiling", Supercomputing 1989; A. Kristensen et al., "Fusion of parallel array
          operations", PACT 2016 (the same for numpy programs).
Cost      Of memory: one tile for each value that is alive at once. Of time: about a microsecond a step and tile.

The steps are numpy's own functions on parts of the arrays, or the same IEEE operations in C: either way the result is
that of the unfused steps to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from mlsys_core.autodiff.static import native
from mlsys_core.autodiff.static.ir import Operation, binder, refs
from mlsys_core.autodiff.tape import Array

# elements of a tile: a few of them in float32 share a level-2 cache of 1 MiB
TILE = 32_768
# below this, compiling takes longer than it will ever save
WORTH_COMPILING = 65_536


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a kernel; a Ref counts the leaves first and then the steps."""

    op: Operation
    args: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """Steps that follow one another, for results of one shape; called with the leaves, and with out= if there is one."""

    leaf_types: tuple[np.dtype[Any], ...]
    steps: tuple[Step, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: tuple[int, ...]
    compiled: dict[Any, Any] = field(default_factory=dict)

    def __call__(self, *leaves: Any, out: Array | None = None) -> Array:
        """The result of the last step; leaves broadcast to `shape`."""
        result = self._empty() if out is None else out
        if not result.size:
            return result
        # axes from the longest stride of the result to the shortest, so that the pass goes through memory in order
        views = [np.broadcast_to(leaf, self.shape).transpose(self.order) for leaf in leaves]
        target = result.transpose(self.order)
        function = self._native(views, target) if result.size >= WORTH_COMPILING else None
        if function is None:
            self._run_tiles(*_flattened(views, target))
        else:
            function([*views, target])
        return result

    def _empty(self) -> Array:
        back = tuple(int(i) for i in np.argsort(self.order))
        return np.empty(tuple(self.shape[i] for i in self.order), self.dtype).transpose(back)

    def _native(self, views: list[Array], target: Array) -> native.Function | None:
        key = tuple(x.strides for x in (*views, target))
        if key not in self.compiled:
            self.compiled[key] = native.compiled(self.steps, views, target)
        found: native.Function | None = self.compiled[key]
        return found

    def _run_tiles(self, views: list[Array], target: Array) -> None:
        place = self._registers()
        memory = {
            slot: np.empty(min(TILE, target.size), dtype)
            for slot, dtype in {(p, s.dtype): s.dtype for p, s in place}.items()
        }
        bound = [(s.op.run, binder(s.args), dict(s.options), memory[slot, s.dtype]) for slot, s in place]
        for index in tiles(target.shape, TILE):
            values: list[Any] = [x[index] for x in views]
            end = target[index]
            for run, arguments, options, tile in bound[:-1]:
                out = tile[: end.size].reshape(end.shape)
                run(*arguments(values), **options, out=out)
                values.append(out)
            run, arguments, options, _ = bound[-1]
            run(*arguments(values), **options, out=end)

    def _registers(self) -> list[tuple[int, Step]]:
        """Each step with the number of the tile that it writes to; a number is free again after its last reader."""
        first = len(self.leaf_types)
        last = {ref.index: i for i, step in enumerate(self.steps) for ref in refs(step.args)}
        slots: list[tuple[int, Step]] = []
        for i, step in enumerate(self.steps):
            busy = {slots[j][0] for j in range(i) if last.get(first + j, j) >= i}
            slots.append((min(set(range(i + 1)) - busy), step))
        return slots


def _flattened(views: list[Array], target: Array) -> tuple[list[Array], Array]:
    """One axis in place of several where all arrays lie in order, numbers apart; else what was given."""
    flat = target.flags.c_contiguous and all(x.flags.c_contiguous or not any(x.strides) for x in views)
    if not flat:
        return views, target
    size = (target.size,)
    numbers = [np.broadcast_to(x[(0,) * x.ndim], size) if not any(x.strides) else x.reshape(size) for x in views]
    return numbers, target.reshape(size)


def tiles(shape: tuple[int, ...], limit: int) -> Iterator[tuple[Any, ...]]:
    """Indices of parts of at most `limit` elements (or one row of the last axes) that cover the shape, each element once."""
    if not prod(shape):
        return
    axis = next(i for i in range(len(shape)) if prod(shape[i + 1 :]) <= limit)
    rows = max(1, limit // prod(shape[axis + 1 :]))
    for outer in np.ndindex(shape[:axis]):
        for start in range(0, shape[axis], rows):
            yield (*outer, slice(start, start + rows))
