"""Task 4: runs operations on the student's block manager, and the decode kernel under a meter. A part of driver.py."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import torch


def run_blocks(
    program: ModuleType, *, num_blocks: int, block_size: int, operations: list[list[Any]], looks: list[list[int]]
) -> list[dict[str, Any]]:
    """After each [method, arguments]: what it returned or raised, the tables of the sequences in `looks`, and the free blocks."""
    manager, answers = program.BlockManager(num_blocks, block_size), []
    for (method, arguments), seen in zip(operations, looks, strict=True):
        returned, error = None, ""
        try:
            returned = getattr(manager, method)(*arguments)
        except (program.OutOfBlocks, KeyError, ValueError) as raised:
            error = type(raised).__name__
        tables = [_numbers(manager.table(sequence)) for sequence in seen]
        answers.append(
            {"returned": _plain(returned), "error": error, "tables": tables, "free": int(manager.free_blocks())}
        )
    return answers


def _plain(value: Any) -> Any:
    """A place or a table as a list of numbers."""
    return [None if one is None else int(one) for one in value] if isinstance(value, tuple | list) else None


def _numbers(values: Any) -> list[int]:
    return [int(one) for one in values]


def paged_decode(
    program: ModuleType, *, q: Any, k_cache: Any, v_cache: Any, block_tables: Any, lengths: Any
) -> dict[str, Any]:
    """The kernel's result, what the meter counted and found, and whether the inputs are as they were."""
    from mlsys_core.kernels.meter import Meter  # noqa: PLC0415

    arrays = (q, k_cache, v_cache, block_tables, lengths)
    tensors = [torch.from_numpy(one.copy()) for one in arrays]
    with Meter() as meter:
        out = program.paged_decode(*tensors)
    report = meter.report()
    kept = all(a.tobytes() == b.numpy().tobytes() for a, b in zip(arrays, tensors, strict=True))
    numbers = {name: int(report[name]) for name in ("loaded", "stored", "atomic", "launches")}
    findings = [str(one["text"]) for one in report["findings"][:3]]
    return {"out": np.array(out.numpy()), "findings": findings, "kept": kept} | numbers


def decoded(
    program: ModuleType, *, q: Any, k_cache: Any, v_cache: Any, block_tables: Any, lengths: Any
) -> dict[str, Any]:
    """The kernel's result on a GPU."""
    tensors = [torch.from_numpy(one.copy()).cuda() for one in (q, k_cache, v_cache, block_tables, lengths)]
    return {"out": np.array(program.paged_decode(*tensors).cpu().numpy())}


def card(_: ModuleType) -> str:
    """The GPU's name, as "NVIDIA H100 80GB HBM3"."""
    return str(torch.cuda.get_device_name())


def timed_decode(program: ModuleType, *, seed: int, audit: bool, dtype: str, sizes: dict[str, int]) -> dict[str, Any]:
    """One timed call on fresh contents."""
    from driver import timing  # noqa: PLC0415 - put there by what runs the driver

    return dict(timing.timed(program.paged_decode, _drawn(seed, dtype, sizes), seed, audit=audit))


def project_decode(_: ModuleType, *, seed: int, salt: int) -> list[float]:
    """The output of a timed call, multiplied by random vectors."""
    from driver import timing  # noqa: PLC0415

    return list(timing.project(seed, salt))


def _drawn(seed: int, dtype: str, sizes: dict[str, int]) -> list[Any]:
    """Queries, caches, shuffled tables and uneven lengths on the GPU, the same for the same seed."""
    kind, generator, rng = getattr(torch, dtype), torch.Generator("cuda").manual_seed(seed), np.random.default_rng(seed)
    batch, heads, kv_heads, dim = (sizes[name] for name in ("batch", "heads", "kv_heads", "dim"))
    size, blocks = sizes["block_size"], math.ceil(sizes["longest"] / sizes["block_size"])
    lengths = rng.permutation(np.linspace(sizes["longest"] // 2, sizes["longest"], batch).astype(np.int32))
    tables = torch.from_numpy(rng.permutation(batch * blocks).astype(np.int32).reshape(batch, blocks)).cuda()
    beyond = torch.from_numpy(np.arange(blocks)[None] * size >= lengths[:, None]).cuda()

    def normal(*shape: int) -> Any:
        return torch.randn(*shape, generator=generator, device="cuda").to(kind)

    q, *caches = normal(batch, heads, dim), *(normal(batch * blocks, size, kv_heads, dim) for _ in "kv")
    return [q, *caches, tables.masked_fill(beyond, -1), torch.from_numpy(lengths).cuda()]
