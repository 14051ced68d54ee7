"""SwiGLU's middle, silu(gate) ⊙ up, forward and backward, from two tensors or from the halves of one.

Idea      Two matrix products leave a gate and a value in memory; what follows is one pass: read both, multiply, write. One product with
          both weights side by side leaves them as halves of each row, and a stride is all that changes. The backward reads the gate
          again and recomputes its sigmoid, which costs less than to keep it.
Equation  y = g σ(g) ⊙ u,   ∂g = ∂y ⊙ u σ(g) (1 + g (1 - σ(g))),   ∂u = ∂y ⊙ g σ(g)
Paper     N. Shazeer, "GLU variants improve transformer", arXiv 2002.05202, section 2.
Cost      swiglu_bytes, swiglu_backward_bytes: 3 elements forward and 5 backward for each of y.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import INTERPRETED
from .rows import as_rows, like, same_as

BLOCK = 64 if INTERPRETED else 1024  # elements of a program
WARPS = (
    8  # 4 bfloat16 a thread and many warps in flight: the fastest of 512 to 4096 elements by 4 or 8 warps on an H100
)


@triton.jit
def swiglu_kernel(
    gate_ptr: tl.tensor, up_ptr: tl.tensor, out_ptr: tl.tensor, width: tl.tensor, gate_stride: tl.tensor,
    up_stride: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Program (i, r) makes block i of row r."""
    row, start = tl.program_id(1).to(tl.int64), tl.program_id(0).to(tl.int64) * BLOCK
    lane = start + tl.arange(0, BLOCK)
    live = lane < width
    gate = tl.load(gate_ptr + row * gate_stride + lane, live, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + lane, live, other=0.0).to(tl.float32)
    tl.store(out_ptr + row * width + lane, (gate * tl.sigmoid(gate) * up).to(out_ptr.dtype.element_ty), live)


@triton.jit
def swiglu_backward_kernel(
    grad_ptr: tl.tensor, gate_ptr: tl.tensor, up_ptr: tl.tensor, of_gate_ptr: tl.tensor, of_up_ptr: tl.tensor,
    width: tl.tensor, grad_stride: tl.tensor, gate_stride: tl.tensor, up_stride: tl.tensor, out_stride: tl.tensor,
    BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Program (i, r) makes block i of row r of both gradients."""
    row, start = tl.program_id(1).to(tl.int64), tl.program_id(0).to(tl.int64) * BLOCK
    lane = start + tl.arange(0, BLOCK)
    live = lane < width
    grad = tl.load(grad_ptr + row * grad_stride + lane, live, other=0.0).to(tl.float32)
    gate = tl.load(gate_ptr + row * gate_stride + lane, live, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + lane, live, other=0.0).to(tl.float32)
    open_ = tl.sigmoid(gate)
    of_gate, of_up = grad * up * open_ * (1.0 + gate * (1.0 - open_)), grad * gate * open_
    tl.store(of_gate_ptr + row * out_stride + lane, of_gate.to(of_gate_ptr.dtype.element_ty), live)
    tl.store(of_up_ptr + row * out_stride + lane, of_up.to(of_up_ptr.dtype.element_ty), live)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) ⊙ up of two tensors of one shape (..., W) and dtype. Differentiable in both."""
    out: Tensor = _swiglu(gate, up)
    return out


def swiglu_packed(x: Tensor) -> Tensor:
    """x (..., 2W), a gate and then a value -> (..., W). Differentiable. Raises ValueError for an odd last axis."""
    out: Tensor = _swiglu_packed(x)
    return out


def swiglu_bytes(elements: int, itemsize: int) -> int:
    """Bytes that the forward loads and stores for so many elements of its result."""
    return 3 * elements * itemsize


def swiglu_backward_bytes(elements: int, itemsize: int) -> int:
    """Bytes that the backward loads and stores for so many elements of the result's gradient."""
    return 5 * elements * itemsize


def _lines(*tensors: Tensor) -> list[Tensor]:
    """As rows for the grid: one long row where all are dense, which leaves no row's last block half empty."""
    rows = [as_rows(x) for x in tensors]
    return [x.view(1, -1) for x in rows] if all(x.is_contiguous() for x in rows) else rows


def _forward(gate: Tensor, up: Tensor) -> Tensor:
    out = like(gate)
    if out.numel():
        gate, up, flat = _lines(gate, up, out)
        grid = (triton.cdiv(flat.shape[1], BLOCK), flat.shape[0])
        swiglu_kernel[grid](gate, up, flat, flat.shape[1], gate.stride(0), up.stride(0), BLOCK=BLOCK, num_warps=WARPS)
    return out


def _backward_into(grad: Tensor, gate: Tensor, up: Tensor, of_gate: Tensor, of_up: Tensor) -> None:
    """The gradients go into views of one stride."""
    if grad.numel():
        grad, gate, up, of_gate, of_up = _lines(grad, gate, up, of_gate, of_up)
        rows, width = grad.shape
        swiglu_backward_kernel[(triton.cdiv(width, BLOCK), rows)](
            grad, gate, up, of_gate, of_up, width, grad.stride(0), gate.stride(0), up.stride(0), of_gate.stride(0),
            BLOCK=BLOCK, num_warps=WARPS,
        )  # fmt: skip


@torch.library.custom_op("mlsys::swiglu", mutates_args=())
def _swiglu(gate: Tensor, up: Tensor) -> Tensor:
    same_as(gate, up)
    return _forward(gate, up)


@_swiglu.register_fake
def _(gate: Tensor, up: Tensor) -> Tensor:  # noqa: ARG001
    return like(gate)


@torch.library.custom_op("mlsys::swiglu_backward", mutates_args=())
def _swiglu_backward(grad: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    of_gate, of_up = like(gate), like(up)
    _backward_into(grad, gate, up, of_gate, of_up)
    return of_gate, of_up


@_swiglu_backward.register_fake
def _(grad: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    return like(gate), like(up)


@torch.library.custom_op("mlsys::swiglu_packed", mutates_args=())
def _swiglu_packed(x: Tensor) -> Tensor:
    if x.shape[-1] % 2:
        raise ValueError(f"{x.shape[-1]} elements are no gate and value side by side: the last axis must be even.")
    return _forward(*x.chunk(2, -1))


@_swiglu_packed.register_fake
def _(x: Tensor) -> Tensor:
    return like(x.chunk(2, -1)[0])


@torch.library.custom_op("mlsys::swiglu_packed_backward", mutates_args=())
def _swiglu_packed_backward(grad: Tensor, x: Tensor) -> Tensor:
    out = like(x)
    _backward_into(grad, *x.chunk(2, -1), *out.chunk(2, -1))
    return out


@_swiglu_packed_backward.register_fake
def _(grad: Tensor, x: Tensor) -> Tensor:  # noqa: ARG001
    return like(x)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    ctx.save_for_backward(*inputs)


_swiglu.register_autograd(lambda ctx, grad: _swiglu_backward(grad, *ctx.saved_tensors), setup_context=_keep)
_swiglu_packed.register_autograd(
    lambda ctx, grad: _swiglu_packed_backward(grad, *ctx.saved_tensors), setup_context=_keep
)
