"""Rotary positions, forward and backward, on heads of any strides.

Idea      Each pair of numbers of a head is turned by an angle that grows with the position. Torch makes products and a concatenation, each
          a trip through memory; here a program loads the sines and cosines of a few positions once, turns all heads of a batch at them,
          and writes. A rotation's transpose is the rotation by the opposite angle, so the backward is the same kernel with -sin.
Equation  (y_i, y_{i+D/2}) = (a cos φ - b sin φ, b cos φ + a sin φ),  (a, b) = (x_i, x_{i+D/2}),  φ = position · θ^(-2i/D)
Paper     J. Su et al., "RoFormer: enhanced transformer with rotary position embedding", arXiv 2104.09864, section 3.2.2.
Cost      rope_bytes: x once in and once out, the table once for each of the batch.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import INTERPRETED

TIMES = 32 if INTERPRETED else 16  # positions of a program


@triton.jit
def rope_kernel(
    x_ptr: tl.tensor, cos_ptr: tl.tensor, sin_ptr: tl.tensor, out_ptr: tl.tensor, heads: tl.tensor, times: tl.tensor,
    half: tl.tensor, x_batch: tl.tensor, x_head: tl.tensor, x_time: tl.tensor, out_batch: tl.tensor,
    out_head: tl.tensor,
    out_time: tl.tensor, sign: tl.tensor, TIMES: tl.constexpr, HALF: tl.constexpr,
) -> None:  # fmt: skip
    """Program (i, b) turns all heads of batch b at the i-th TIMES positions; a row of x is dense."""
    time, pair, batch = (
        tl.program_id(0) * TIMES + tl.arange(0, TIMES),
        tl.arange(0, HALF),
        tl.program_id(1).to(tl.int64),
    )
    live = (time < times)[:, None] & (pair < half)[None, :]
    table = time[:, None] * half + pair[None, :]
    cos = tl.load(cos_ptr + table, live, other=0.0).to(tl.float32)
    sin = tl.load(sin_ptr + table, live, other=0.0).to(tl.float32) * sign
    x_at = x_ptr + batch * x_batch + time[:, None] * x_time + pair[None, :]
    out_at = out_ptr + batch * out_batch + time[:, None] * out_time + pair[None, :]
    for head in range(heads):
        a = tl.load(x_at + head * x_head, live, other=0.0).to(tl.float32)
        b = tl.load(x_at + head * x_head + half, live, other=0.0).to(tl.float32)
        tl.store(out_at + head * out_head, (a * cos - b * sin).to(out_ptr.dtype.element_ty), live)
        tl.store(out_at + head * out_head + half, (b * cos + a * sin).to(out_ptr.dtype.element_ty), live)


def rope_table(positions: Tensor, width: int, theta: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """cos and sin (T, width / 2) in `dtype` at integer positions (T,), computed in float64: made once, used in each layer."""
    half = width // 2
    rates = theta ** (-torch.arange(half, dtype=torch.float64, device=positions.device) / half)
    angles = positions.to(torch.float64)[:, None] * rates
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns x (B, H, T, D) by a `rope_table` (T, D / 2) -> (B, H, T, D), with the order of axes in memory that x has.

    Differentiable in x. Raises ValueError where the table has another number of positions or pairs.
    """
    out: Tensor = _rope(x, cos, sin, backwards=False)
    return out


def rope_bytes(batch: int, heads: int, times: int, width: int, itemsize: int) -> int:
    """Bytes that one call loads and stores, with a table of the same type: cos and sin are one more head, which is only read."""
    return (2 * heads + 1) * batch * times * width * itemsize


def _dense_rows(x: Tensor) -> Tensor:
    return x if x.stride(3) == 1 else x.contiguous()


@torch.library.custom_op("mlsys::rope", mutates_args=())
def _rope(x: Tensor, cos: Tensor, sin: Tensor, backwards: bool) -> Tensor:
    batch, heads, times, width = x.shape
    if width % 2 or cos.shape != (times, width // 2) or sin.shape != cos.shape:
        raise ValueError(
            f"A table of {tuple(cos.shape)} cannot turn heads of {tuple(x.shape)}: make one of ({times}, {width // 2})."
        )
    out = torch.empty_like(x)
    if x.numel():
        rows, target = _dense_rows(x), _dense_rows(out)
        rope_kernel[(triton.cdiv(times, TIMES), batch)](
            rows, cos.contiguous(), sin.contiguous(), target, heads, times, width // 2, *rows.stride()[:3], *target.stride()[:3],
            -1.0 if backwards else 1.0, TIMES=TIMES, HALF=triton.next_power_of_2(width // 2),
        )  # fmt: skip
        if target is not out:
            out.copy_(target)
    return out


@_rope.register_fake
def _(x: Tensor, cos: Tensor, sin: Tensor, backwards: bool) -> Tensor:  # noqa: ARG001
    return torch.empty_like(x)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    ctx.save_for_backward(*inputs[1:3])
    ctx.backwards = inputs[3]


def _slope(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return _rope(grad, *ctx.saved_tensors, not ctx.backwards), None, None, None


_rope.register_autograd(_slope, setup_context=_keep)
