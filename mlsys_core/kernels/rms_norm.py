"""RMSNorm, forward and backward, with the residual addition before it in the same pass.

Idea      A block of a transformer adds to the residual stream and normalises the sum. Done apart, the sum goes to memory and comes back;
          here a program holds a row of it in registers, writes it and goes on. The backward recomputes x̂ from the row and one number
          that was kept of it, and adds up the weight's gradient in registers, a partial sum a program, so its order never changes.
Equation  s = x + residual,  r = 1 / sqrt(mean(s²) + ε),  y = s r ⊙ w
          ∂s = r (w ⊙ ∂y - ŝ mean(ŝ ⊙ w ⊙ ∂y)) + ∂s_above,  ŝ = s r,   ∂w = Σ over rows of ∂y ⊙ ŝ
Paper     B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019, equation 4.
Cost      rms_norm_bytes, rms_norm_backward_bytes: each element once in and once out, 4 bytes a row for r where a gradient is wanted,
          and the weight.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .rows import as_rows, block_of, like, partials, programs_for, row_numbers, same_as, wanted, warps_for, weight_fits


@triton.jit
def rms_norm_kernel(
    x_ptr: tl.tensor, residual_ptr: tl.tensor, weight_ptr: tl.tensor, out_ptr: tl.tensor, sum_ptr: tl.tensor,
    scale_ptr: tl.tensor,
    width: tl.tensor, x_stride: tl.tensor, residual_stride: tl.tensor, eps: tl.tensor,
    ADD: tl.constexpr, KEEP: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Program p normalises row p; with ADD it adds the residual first and writes the sum."""
    lane = tl.arange(0, BLOCK)
    live = lane < width
    row = tl.program_id(0).to(tl.int64)
    x = tl.load(x_ptr + row * x_stride + lane, live, other=0.0).to(tl.float32)
    weight = tl.load(weight_ptr + lane, live, other=0.0).to(tl.float32)
    if ADD:
        x += tl.load(residual_ptr + row * residual_stride + lane, live, other=0.0).to(tl.float32)
        x = x.to(sum_ptr.dtype.element_ty).to(tl.float32)  # the sum that later layers see is the rounded one
    scale = 1.0 / tl.sqrt(tl.sum(x * x) / width + eps)
    if KEEP:
        tl.store(scale_ptr + row, scale)
    tl.store(out_ptr + row * width + lane, (x * scale * weight).to(out_ptr.dtype.element_ty), live)
    if ADD:
        tl.store(sum_ptr + row * width + lane, x.to(sum_ptr.dtype.element_ty), live)


@triton.jit
def rms_norm_backward_kernel(
    grad_ptr: tl.tensor, above_ptr: tl.tensor, x_ptr: tl.tensor, weight_ptr: tl.tensor, scale_ptr: tl.tensor,
    out_ptr: tl.tensor, part_ptr: tl.tensor,
    rows: tl.tensor, width: tl.tensor, grad_stride: tl.tensor, above_stride: tl.tensor, x_stride: tl.tensor,
    ABOVE: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """The gradient of rows p, p + P, … and, in row p of `part`, what they add to the weight's."""
    lane = tl.arange(0, BLOCK)
    live = lane < width
    weight = tl.load(weight_ptr + lane, live, other=0.0).to(tl.float32)
    part = tl.zeros((BLOCK,), tl.float32)
    for row in range(tl.program_id(0), rows, tl.num_programs(0)):
        at = tl.cast(row, tl.int64)
        grad = tl.load(grad_ptr + at * grad_stride + lane, live, other=0.0).to(tl.float32)
        scale = tl.load(scale_ptr + at)
        hat = tl.load(x_ptr + at * x_stride + lane, live, other=0.0).to(tl.float32) * scale
        part += grad * hat
        slope = grad * weight
        slope = scale * (slope - hat * (tl.sum(hat * slope) / width))
        if ABOVE:
            slope += tl.load(above_ptr + at * above_stride + lane, live, other=0.0).to(tl.float32)
        tl.store(out_ptr + at * width + lane, slope.to(out_ptr.dtype.element_ty), live)
    tl.store(part_ptr + tl.program_id(0) * width + lane, part, live)


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """x (..., W) by weight (W,) -> (..., W) in x's dtype. Differentiable in both."""
    out: Tensor = _rms_norm(x, weight, eps, wanted(x, weight))[0]
    return out


def add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    """x + residual, both (..., W): its norm by weight (W,), and the sum itself, rounded to x's dtype. Differentiable in all three."""
    out, total, _ = _add_rms_norm(x, residual, weight, eps, wanted(x, residual, weight))
    return out, total


def rms_norm_bytes(rows: int, width: int, itemsize: int, *, add: bool = False, keep: bool = True) -> int:
    """Bytes that the forward loads and stores; 1 of its 3 (5) rows of elements a row is the weight, from the cache after the first."""
    return (5 if add else 3) * rows * width * itemsize + (4 * rows if keep else 0)


def rms_norm_backward_bytes(rows: int, width: int, itemsize: int, programs: int, *, above: bool = False) -> int:
    """Bytes that the backward loads and stores: `above` where a gradient of the sum comes from above too."""
    elements = (4 if above else 3) * rows * width * itemsize
    return elements + programs * width * (itemsize + 4) + 4 * rows


def launch_rms_norm(
    x: Tensor, residual: Tensor | None, weight: Tensor, eps: float, *, keep: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """One launch: the norm, the sum (empty where there is no residual), and r of each row in float32."""
    flat = as_rows(x)
    second = flat if residual is None else as_rows(residual)
    rows, width = flat.shape
    out, total, scale = like(x), like(x if residual is not None else x[:0]), row_numbers(x)
    if x.numel():
        rms_norm_kernel[(rows,)](
            flat, second, weight, out, total, scale, width, flat.stride(0), second.stride(0), eps,
            ADD=residual is not None, KEEP=keep, BLOCK=block_of(width), num_warps=warps_for(width),
        )  # fmt: skip
    return out, total, scale


@torch.library.custom_op("mlsys::rms_norm", mutates_args=())
def _rms_norm(x: Tensor, weight: Tensor, eps: float, keep: bool = True) -> tuple[Tensor, Tensor]:  # noqa: FBT002
    weight_fits(x, weight)
    out, _, scale = launch_rms_norm(x, None, weight, eps, keep=keep)
    return out, scale


@_rms_norm.register_fake
def _(x: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return like(x), row_numbers(x)


@torch.library.custom_op("mlsys::add_rms_norm", mutates_args=())
def _add_rms_norm(
    x: Tensor,
    residual: Tensor,
    weight: Tensor,
    eps: float,
    keep: bool = True,  # noqa: FBT002
) -> tuple[Tensor, Tensor, Tensor]:
    weight_fits(x, weight)
    same_as(x, residual)
    return launch_rms_norm(x, residual, weight, eps, keep=keep)


@_add_rms_norm.register_fake
def _(x: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    return like(x), like(x), row_numbers(x)


@torch.library.custom_op("mlsys::rms_norm_backward", mutates_args=())
def _backward(grad: Tensor, above: Tensor | None, x: Tensor, weight: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    flat, slope = as_rows(x), as_rows(grad)
    higher = slope if above is None else as_rows(above)
    rows, width = flat.shape
    out, programs = like(x), programs_for(x)
    part = partials(x, programs)
    if x.numel():
        rms_norm_backward_kernel[(programs,)](
            slope, higher, flat, weight, scale, out, part, rows, width, slope.stride(0), higher.stride(0), flat.stride(0),
            ABOVE=above is not None, BLOCK=block_of(width), num_warps=warps_for(width),
        )  # fmt: skip
    return out, part.sum(0).to(weight.dtype)


@_backward.register_fake
def _(_grad: Tensor, _above: Tensor | None, x: Tensor, weight: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return like(x), torch.empty_like(weight)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(inputs[0], inputs[1], output[1])


def _keep_sum(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.set_materialize_grads(False)  # a sum that nobody uses has no gradient to be read
    ctx.save_for_backward(output[1], inputs[2], output[2])


def _slopes(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    return *_backward(grad, None, *ctx.saved_tensors), None, None


def _slopes_of_sum(ctx: Any, grad: Tensor | None, above: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return above, above, None, None, None
    slope, of_weight = _backward(grad, above, *ctx.saved_tensors)
    return slope, slope, of_weight, None, None


_rms_norm.register_autograd(_slopes, setup_context=_keep)
_add_rms_norm.register_autograd(_slopes_of_sum, setup_context=_keep_sum)
