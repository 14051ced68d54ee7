"""Softmax of rows, forward and backward: a row in registers, or in tiles where it is longer than a block.

Idea      A row that fits one program's registers comes from memory once. A longer one is read twice: first with a running maximum m and a
          sum s of exp(x - m) that is scaled down whenever m grows, then to divide. The separate pass for the maximum is gone in both.
Equation  m' = max(m, max x),  s' = s exp(m - m') + Σ exp(x - m'),  y = exp(x - m) / s;   ∂x = y ⊙ (∂y - Σ y ⊙ ∂y)
Paper     M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867, algorithm 3.
Cost      softmax_bytes, softmax_backward_bytes. One that finds the maximum, the sum and the quotient in three passes loads 3 rows.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import INTERPRETED
from .rows import as_rows, like, warps_for

BLOCK = 256 if INTERPRETED else 16_384  # elements of the widest row that a program holds, and of a tile of wider ones


@triton.jit
def softmax_kernel(
    x_ptr: tl.tensor, out_ptr: tl.tensor, width: tl.tensor, x_stride: tl.tensor, BLOCK: tl.constexpr
) -> None:
    """Program p takes row p into registers."""
    row, lane = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    live = lane < width
    x = tl.load(x_ptr + row * x_stride + lane, live, other=float("-inf")).to(tl.float32)
    shares = tl.exp(x - tl.max(x))
    tl.store(out_ptr + row * width + lane, (shares / tl.sum(shares)).to(out_ptr.dtype.element_ty), live)


@triton.jit
def online_softmax_kernel(
    x_ptr: tl.tensor, out_ptr: tl.tensor, width: tl.tensor, x_stride: tl.tensor, BLOCK: tl.constexpr
) -> None:
    """Program p takes row p in tiles, twice; each lane has a maximum and a sum of its own until the end."""
    row, lane = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    top, total = tl.full((BLOCK,), float("-inf"), tl.float32), tl.zeros((BLOCK,), tl.float32)
    for start in range(0, width, BLOCK):
        x = tl.load(x_ptr + row * x_stride + start + lane, start + lane < width, other=float("-inf")).to(tl.float32)
        higher = tl.maximum(top, x)
        base = tl.where(higher == float("-inf"), 0.0, higher)  # -inf - -inf has no value
        total = total * tl.exp(top - base) + tl.exp(x - base)
        top = higher
    most = tl.max(top)
    whole = tl.sum(total * tl.exp(top - most))
    for start in range(0, width, BLOCK):
        x = tl.load(x_ptr + row * x_stride + start + lane, start + lane < width, other=float("-inf")).to(tl.float32)
        y = tl.exp(x - most) / whole
        tl.store(out_ptr + row * width + start + lane, y.to(out_ptr.dtype.element_ty), start + lane < width)


@triton.jit
def softmax_backward_kernel(
    y_ptr: tl.tensor,
    grad_ptr: tl.tensor,
    out_ptr: tl.tensor,
    width: tl.tensor,
    grad_stride: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:
    """Program p makes row p, in tiles, twice; where one tile holds the row its second reading comes from the cache."""
    row, lane = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, width, BLOCK):
        live = start + lane < width
        y = tl.load(y_ptr + row * width + start + lane, live, other=0.0).to(tl.float32)
        total += y * tl.load(grad_ptr + row * grad_stride + start + lane, live, other=0.0).to(tl.float32)
    dot = tl.sum(total)
    for start in range(0, width, BLOCK):
        live = start + lane < width
        y = tl.load(y_ptr + row * width + start + lane, live, other=0.0).to(tl.float32)
        grad = tl.load(grad_ptr + row * grad_stride + start + lane, live, other=0.0).to(tl.float32)
        tl.store(out_ptr + row * width + start + lane, (y * (grad - dot)).to(out_ptr.dtype.element_ty), live)


def softmax(x: Tensor) -> Tensor:
    """Softmax over the last axis of x (..., W), in x's dtype. Differentiable. A row of nothing but -inf gives NaN, as torch's does."""
    out: Tensor = _softmax(x)
    return out


def softmax_bytes(rows: int, width: int, itemsize: int, block: int = BLOCK) -> int:
    """Bytes that the forward loads and stores: rows longer than `block` are read twice."""
    return (2 if width <= block else 3) * rows * width * itemsize


def softmax_backward_bytes(rows: int, width: int, itemsize: int) -> int:
    """Bytes that the backward loads and stores: result and gradient twice, of which the second time may come from the cache."""
    return 5 * rows * width * itemsize


@torch.library.custom_op("mlsys::softmax", mutates_args=())
def _softmax(x: Tensor) -> Tensor:
    flat, out = as_rows(x), like(x)
    if out.numel():
        rows, width = flat.shape
        block = min(BLOCK, triton.next_power_of_2(width))
        kernel = softmax_kernel if width <= BLOCK else online_softmax_kernel
        kernel[(rows,)](flat, out, width, flat.stride(0), BLOCK=block, num_warps=warps_for(block))
    return out


@_softmax.register_fake
def _(x: Tensor) -> Tensor:
    return like(x)


@torch.library.custom_op("mlsys::softmax_backward", mutates_args=())
def _backward(grad: Tensor, y: Tensor) -> Tensor:
    slope, out = as_rows(grad), like(y)
    if out.numel():
        rows, width = slope.shape
        block = min(BLOCK, triton.next_power_of_2(width))
        softmax_backward_kernel[(rows,)](
            y.contiguous(), slope, out, width, slope.stride(0), BLOCK=block, num_warps=warps_for(block)
        )
    return out


@_backward.register_fake
def _(grad: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001
    return like(y)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    ctx.save_for_backward(output)


_softmax.register_autograd(lambda ctx, grad: _backward(grad, *ctx.saved_tensors), setup_context=_keep)
