"""Task 3: the kernel under the meter, which counts bytes and operations and finds stray lanes and races. A part of driver.py."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import torch

from mlsys_core.kernels.meter import Meter

Array = np.ndarray
Answer = dict[str, Any]
POISON_ROWS = 3


def _laid_out(array: Array, layout: str) -> torch.Tensor:
    """The same values, (B, H, N, D), in memory as they are, with heads inside tokens, turned round, or in a larger tensor of NaN."""
    x = torch.from_numpy(array)
    if layout == "heads inside":
        return x.transpose(1, 2).contiguous().transpose(1, 2)
    if layout == "turned":
        return x.mT.contiguous().mT
    if layout == "inside":
        batch, heads, n, d = x.shape
        around = torch.full((batch, heads, n + 2 * POISON_ROWS, 2 * d), float("nan"), dtype=x.dtype)
        around[:, :, POISON_ROWS : POISON_ROWS + n, ::2] = x
        return around[:, :, POISON_ROWS : POISON_ROWS + n, ::2]
    return x


def flash(program: ModuleType, *, q: Array, k: Array, v: Array, layout: str = "", **settings: Any) -> Answer:
    """`flash_attention` in the interpreter: its output, its log denominators, and what the meter counted and found."""
    inputs = [_laid_out(one, layout) for one in (q, k, v)]
    with Meter() as meter:
        out, lse = program.flash_attention(*inputs, **settings)
    report = meter.report()
    same = all(np.array_equal(one.numpy(), given) for one, given in zip(inputs, (q, k, v), strict=True))
    counted = {name: report[name] for name in ("loaded", "stored", "atomic", "dot_flops", "launches")}
    found = [one["text"] for one in report["findings"]]
    return {"out": out.detach().numpy(), "lse": lse.detach().numpy(), "found": found, "kept": same, **counted}


def timed_attention(
    program: ModuleType, *, seed: int, audit: bool, sizes: dict[str, int], causal: bool, eager: bool = False
) -> Answer:
    """One timed call on a GPU: of the student's attention with its own tiles, or of plain torch."""
    from driver import timing  # noqa: PLC0415 - put there by what runs the driver

    heads = (sizes["heads"], sizes["kv_heads"], sizes["kv_heads"])
    inputs = timing.draw(seed, [[sizes["batch"], h, sizes["n"], sizes["d"]] for h in heads], "float16", "cuda")

    def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return _plain(q, k, v, causal=causal) if eager else program.flash_attention(q, k, v, causal=causal)[0]

    return dict(timing.timed(attention, inputs, seed, audit=audit))


def project_attention(_: ModuleType, *, seed: int, salt: int) -> list[float]:
    """The output of a timed call, multiplied by random vectors."""
    from driver import timing  # noqa: PLC0415

    return list(timing.project(seed, salt))


def _plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool) -> torch.Tensor:
    """One operation after the other, each through memory."""
    group = q.shape[1] // k.shape[1]
    scores = q @ k.repeat_interleave(group, 1).mT / math.sqrt(q.shape[-1])
    if causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(hidden, -math.inf)
    return torch.softmax(scores, -1) @ v.repeat_interleave(group, 1)
