"""Task 2: packing, and the product under the meter, which counts bytes and finds stray lanes and races. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch

Array = np.ndarray
Answer = dict[str, Any]
POISON = 3


def packed(program: ModuleType, *, q: Array, group: int) -> Array:
    """`pack_int4`."""
    return np.array(program.pack_int4(torch.from_numpy(q.copy()), group).numpy())


def unpacked(program: ModuleType, *, words: Array, group: int) -> Array:
    """`unpack_int4`."""
    return np.array(program.unpack_int4(torch.from_numpy(words.copy()), group).numpy())


def _laid_out(array: Array, layout: str) -> torch.Tensor:
    """The same values in memory as they are, turned round, or as every second column in the middle of a larger tensor."""
    x = torch.from_numpy(array.copy())
    if layout == "turned":
        return x.mT.contiguous().mT
    if layout == "inside":
        rows, columns = x.shape
        strange = float("nan") if x.is_floating_point() else -1
        around = torch.full((rows + 2 * POISON, 2 * columns), strange, dtype=x.dtype)
        around[POISON : POISON + rows, ::2] = x
        return around[POISON : POISON + rows, ::2]
    return x


def multiplied(program: ModuleType, *, x: Array, words: Array, scale: Array, group: int, layout: str = "") -> Answer:
    """`w4a16_matmul` in the interpreter: its result, and what the meter counted and found."""
    from mlsys_core.kernels.meter import Meter  # noqa: PLC0415 - the other tasks do without

    given = [_laid_out(one, layout) for one in (x, words, scale)]
    with Meter() as meter:
        out = program.w4a16_matmul(*given, group)
    report = meter.report()
    kept = all(np.array_equal(one.numpy(), array) for one, array in zip(given, (x, words, scale), strict=True))
    loads = [[int(one["size"]), int(one["loaded"]) + int(one["atomic"])] for one in report["arguments"].values()]
    findings = [str(one["text"]) for one in report["findings"][:3]]
    numbers = {name: int(report[name]) for name in ("loaded", "stored", "atomic", "launches")}
    return {"out": np.array(out.numpy()), "findings": findings, "kept": kept, "loads": loads} | numbers


def products(program: ModuleType, *, inputs: list[Array], words: Array, scale: Array, group: int) -> list[Array]:
    """`w4a16_matmul` on a GPU, for each x."""
    weights = [torch.from_numpy(one.copy()).cuda() for one in (words, scale)]
    return [
        np.array(program.w4a16_matmul(torch.from_numpy(x.copy()).cuda(), *weights, group).cpu().numpy()) for x in inputs
    ]


def card(_: ModuleType) -> str:
    """The GPU's name, as "NVIDIA H100 80GB HBM3"."""
    return str(torch.cuda.get_device_name())


def timed_product(
    program: ModuleType, *, seed: int, audit: bool, sizes: dict[str, int], plain: bool = False
) -> dict[str, Any]:
    """One timed call on fresh contents: of the student's product, or of float16 weights by the vendor's library."""
    from driver import timing  # noqa: PLC0415 - put there by what runs the driver

    m, n, k, group = (sizes[name] for name in ("m", "n", "k", "group"))
    draws = torch.Generator("cuda").manual_seed(seed)
    x = torch.randn(m, k, generator=draws, device="cuda").half()
    if plain:
        w = torch.randn(n, k, generator=draws, device="cuda", dtype=torch.float16)
        return dict(timing.timed(lambda x, w: x @ w.mT, [x, w], seed, audit=audit))
    low, high = -(1 << 31), 1 << 31
    words = torch.randint(low, high, (n, k // 8), generator=draws, device="cuda", dtype=torch.int32)
    scale = (torch.rand(n, k // group, generator=draws, device="cuda") * 0.02 + 0.01).half()
    return dict(timing.timed(lambda *given: program.w4a16_matmul(*given, group), [x, words, scale], seed, audit=audit))


def project_product(_: ModuleType, *, seed: int, salt: int) -> list[float]:
    """The output of a timed call, multiplied by random vectors."""
    from driver import timing  # noqa: PLC0415

    return list(timing.project(seed, salt))
