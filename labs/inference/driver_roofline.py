"""Task 8: what was predicted, and what is counted: on tensors without contents, and in the given kernel. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch

from mlsys_core.kernels.meter import Meter

Array = np.ndarray
Answer = dict[str, Any]


def rooflines(program: ModuleType, *, rows: list[Answer]) -> list[Answer]:
    """For each row, {"function", "arguments", "peak", "bandwidth"}: the work and its floor, as the student's functions have them."""
    return [_row(program, **row) for row in rows]


def _row(program: ModuleType, function: str, arguments: dict[str, int], peak: float, bandwidth: float) -> Answer:
    work = getattr(program, function)(**arguments)
    found = program.roofline(work, peak, bandwidth)
    numbers = {"flops": work.flops, "bytes": work.bytes, "intensity": found["intensity"], "time_s": found["time_s"]}
    return {name: float(value) for name, value in numbers.items()} | {"bound": str(found["bound"])}


def measured_work(program: ModuleType, *, product: list[int], attention: list[int], element: int) -> list[list[int]]:  # noqa: ARG001
    """Operations and bytes of a product and of an attention call, counted on tensors that have shapes and no contents."""
    from driver import counts  # noqa: PLC0415 - the driver, whose part this is, is loaded after it

    kind = {2: torch.float16, 4: torch.float32}[element]
    m, n, k = product
    batch, heads, kv_heads, length, d = attention
    calls = [
        (torch.mm, [_shape(kind, m, k), _shape(kind, k, n)]),
        (_attention, [_shape(kind, batch, h, length, d) for h in (heads, kv_heads, kv_heads)]),
    ]
    found = []
    for function, inputs in calls:
        flops, out = counts.flops(function, inputs)
        found.append([flops, sum(one.nbytes for one in (*inputs, out))])
    return found


def _shape(kind: torch.dtype, *sizes: int) -> torch.Tensor:
    return torch.empty(sizes, dtype=kind, device="meta")


def _attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    group = q.shape[1] // k.shape[1]
    weights = torch.softmax(q @ k.repeat_interleave(group, 1).mT, -1)
    return weights @ v.repeat_interleave(group, 1)


def matmul_loaded(program: ModuleType, *, a: Array, b: Array, tiles: list[int]) -> Answer:
    """The given kernel under the meter: its product and the bytes that it loads."""
    with Meter() as meter:
        out = program.tiled_matmul(torch.from_numpy(a), torch.from_numpy(b), tuple(tiles))
    return {"out": out.numpy(), "loaded": meter.report()["loaded"]}


def tiles_chosen(program: ModuleType, *, shapes: list[list[int]]) -> list[list[int]]:
    """`choose_tiles` for each shape."""
    return [[int(size) for size in program.choose_tiles(*shape)] for shape in shapes]


def tile_times(program: ModuleType, *, shapes: list[list[int]]) -> list[list[Any]]:
    """On a GPU: for each shape, each tile that fits with the milliseconds of the given kernel, the median of several calls."""
    return [
        [[list(tiles), ms] for tiles in program.TILES if (ms := _median_ms(program, shape, tiles))] for shape in shapes
    ]


def _median_ms(program: ModuleType, shape: list[int], tiles: tuple[int, int, int]) -> float | None:
    from triton.runtime.errors import OutOfResources  # noqa: PLC0415 - only where there is a GPU
    from triton.testing import do_bench  # noqa: PLC0415

    m, n, k = shape
    a, b = (torch.randn(size, device="cuda", dtype=torch.float16) for size in ((m, k), (k, n)))
    try:
        return float(do_bench(lambda: program.tiled_matmul(a, b, tiles), warmup=20, rep=100, return_mode="median"))
    except OutOfResources:
        return None
