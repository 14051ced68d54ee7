"""LayerNorm, forward and backward, with the residual addition before it in the same pass.

Idea      As RMSNorm, with the mean taken away first and a bias added last. The row stays in registers, so mean and variance are two
          passes over registers and not over memory, and the variance is that of centred numbers: no cancellation for rows far from zero.
Equation  s = x + residual,  μ = mean(s),  r = 1 / sqrt(mean((s - μ)²) + ε),  ŝ = (s - μ) r,  y = ŝ ⊙ w + b
          ∂s = r (g - mean(g) - ŝ mean(ŝ ⊙ g)) + ∂s_above,  g = w ⊙ ∂y,   ∂w = Σ over rows of ∂y ⊙ ŝ,  ∂b = Σ over rows of ∂y
Paper     J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization", arXiv 1607.06450, section 3.
Cost      layer_norm_bytes, layer_norm_backward_bytes: each element once in and once out, 8 bytes a row for μ and r, w and b once a program.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .rows import as_rows, block_of, like, partials, programs_for, row_numbers, same_as, warps_for, weight_fits


@triton.jit
def layer_norm_kernel(
    x_ptr: tl.tensor, residual_ptr: tl.tensor, weight_ptr: tl.tensor, bias_ptr: tl.tensor, out_ptr: tl.tensor,
    sum_ptr: tl.tensor, mean_ptr: tl.tensor,
    scale_ptr: tl.tensor, width: tl.tensor, x_stride: tl.tensor, residual_stride: tl.tensor, eps: tl.tensor,
    ADD: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Program p normalises row p; with ADD it adds the residual first and writes the sum."""
    lane = tl.arange(0, BLOCK)
    live = lane < width
    row = tl.program_id(0).to(tl.int64)
    x = tl.load(x_ptr + row * x_stride + lane, live, other=0.0).to(tl.float32)
    weight = tl.load(weight_ptr + lane, live, other=0.0).to(tl.float32)
    bias = tl.load(bias_ptr + lane, live, other=0.0).to(tl.float32)
    if ADD:
        x += tl.load(residual_ptr + row * residual_stride + lane, live, other=0.0).to(tl.float32)
        x = x.to(sum_ptr.dtype.element_ty).to(tl.float32)  # the sum that later layers see is the rounded one
    total = x
    mean = tl.sum(x) / width
    x = tl.where(live, x - mean, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(x * x) / width + eps)
    tl.store(mean_ptr + row, mean)
    tl.store(scale_ptr + row, scale)
    tl.store(out_ptr + row * width + lane, (x * scale * weight + bias).to(out_ptr.dtype.element_ty), live)
    if ADD:
        tl.store(sum_ptr + row * width + lane, total.to(sum_ptr.dtype.element_ty), live)


@triton.jit
def layer_norm_backward_kernel(
    grad_ptr: tl.tensor, above_ptr: tl.tensor, x_ptr: tl.tensor, weight_ptr: tl.tensor, mean_ptr: tl.tensor,
    scale_ptr: tl.tensor, out_ptr: tl.tensor,
    weight_part_ptr: tl.tensor, bias_part_ptr: tl.tensor, rows: tl.tensor, width: tl.tensor, grad_stride: tl.tensor,
    above_stride: tl.tensor, x_stride: tl.tensor,
    ABOVE: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """The gradient of rows p, p + P, … and, in row p of the parts, what they add to the weight's and the bias's."""
    lane = tl.arange(0, BLOCK)
    live = lane < width
    weight = tl.load(weight_ptr + lane, live, other=0.0).to(tl.float32)
    of_weight, of_bias = tl.zeros((BLOCK,), tl.float32), tl.zeros((BLOCK,), tl.float32)
    for row in range(tl.program_id(0), rows, tl.num_programs(0)):
        at = tl.cast(row, tl.int64)
        grad = tl.load(grad_ptr + at * grad_stride + lane, live, other=0.0).to(tl.float32)
        mean, scale = tl.load(mean_ptr + at), tl.load(scale_ptr + at)
        x = tl.load(x_ptr + at * x_stride + lane, live, other=0.0).to(tl.float32)
        hat = tl.where(live, (x - mean) * scale, 0.0)
        of_weight += grad * hat
        of_bias += grad
        slope = grad * weight
        slope = scale * (slope - tl.sum(slope) / width - hat * (tl.sum(hat * slope) / width))
        if ABOVE:
            slope += tl.load(above_ptr + at * above_stride + lane, live, other=0.0).to(tl.float32)
        tl.store(out_ptr + at * width + lane, slope.to(out_ptr.dtype.element_ty), live)
    tl.store(weight_part_ptr + tl.program_id(0) * width + lane, of_weight, live)
    tl.store(bias_part_ptr + tl.program_id(0) * width + lane, of_bias, live)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """x (..., W) by weight and bias (W,) -> (..., W) in x's dtype. Differentiable in all three."""
    out: Tensor = _layer_norm(x, weight, bias, eps)[0]
    return out


def add_layer_norm(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """x + residual, both (..., W): its norm, and the sum itself, rounded to x's dtype. Differentiable in all four."""
    out, total, _, _ = _add_layer_norm(x, residual, weight, bias, eps)
    return out, total


def layer_norm_bytes(rows: int, width: int, itemsize: int, *, add: bool = False) -> int:
    """Bytes that the forward loads and stores; 2 of its 4 (6) rows of elements a row are the vectors, from the cache after the first."""
    return (6 if add else 4) * rows * width * itemsize + 8 * rows


def layer_norm_backward_bytes(rows: int, width: int, itemsize: int, programs: int, *, above: bool = False) -> int:
    """Bytes that the backward loads and stores: `above` where a gradient of the sum comes from above too."""
    return (4 if above else 3) * rows * width * itemsize + programs * width * (itemsize + 8) + 8 * rows


def launch_layer_norm(
    x: Tensor, residual: Tensor | None, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One launch: the norm, the sum (empty where there is no residual), μ and r of each row in float32."""
    flat = as_rows(x)
    second = flat if residual is None else as_rows(residual)
    rows, width = flat.shape
    out, total = like(x), like(x if residual is not None else x[:0])
    mean, scale = row_numbers(x), row_numbers(x)
    if x.numel():
        layer_norm_kernel[(rows,)](
            flat, second, weight, bias, out, total, mean, scale, width, flat.stride(0), second.stride(0), eps,
            ADD=residual is not None, BLOCK=block_of(width), num_warps=warps_for(width),
        )  # fmt: skip
    return out, total, mean, scale


@torch.library.custom_op("mlsys::layer_norm", mutates_args=())
def _layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    weight_fits(x, weight, bias)
    out, _, mean, scale = launch_layer_norm(x, None, weight, bias, eps)
    return out, mean, scale


@_layer_norm.register_fake
def _(x: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    return like(x), row_numbers(x), row_numbers(x)


@torch.library.custom_op("mlsys::add_layer_norm", mutates_args=())
def _add_layer_norm(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    weight_fits(x, weight, bias)
    same_as(x, residual)
    return launch_layer_norm(x, residual, weight, bias, eps)


@_add_layer_norm.register_fake
def _(x: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return like(x), like(x), row_numbers(x), row_numbers(x)


@torch.library.custom_op("mlsys::layer_norm_backward", mutates_args=())
def _backward(
    grad: Tensor, above: Tensor | None, x: Tensor, weight: Tensor, mean: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    flat, slope = as_rows(x), as_rows(grad)
    higher = slope if above is None else as_rows(above)
    rows, width = flat.shape
    out, programs = like(x), programs_for(x)
    of_weight, of_bias = partials(x, programs), partials(x, programs)
    if x.numel():
        layer_norm_backward_kernel[(programs,)](
            slope, higher, flat, weight, mean, scale, out, of_weight, of_bias, rows, width, slope.stride(0),
            higher.stride(0), flat.stride(0), ABOVE=above is not None, BLOCK=block_of(width), num_warps=warps_for(width),
        )  # fmt: skip
    return out, of_weight.sum(0).to(weight.dtype), of_bias.sum(0).to(weight.dtype)


@_backward.register_fake
def _(_grad: Tensor, _above: Tensor | None, x: Tensor, weight: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    return like(x), torch.empty_like(weight), torch.empty_like(weight)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(inputs[0], inputs[1], *output[1:])


def _keep_sum(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.set_materialize_grads(False)  # a sum that nobody uses has no gradient to be read
    ctx.save_for_backward(output[1], inputs[2], *output[2:])


def _slopes(ctx: Any, grad: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    return *_backward(grad, None, *ctx.saved_tensors), None


def _slopes_of_sum(ctx: Any, grad: Tensor | None, above: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return above, above, None, None, None
    slope, of_weight, of_bias = _backward(grad, above, *ctx.saved_tensors)
    return slope, slope, of_weight, of_bias, None


_layer_norm.register_autograd(_slopes, setup_context=_keep)
_add_layer_norm.register_autograd(_slopes_of_sum, setup_context=_keep_sum)
