"""Vectors: a program, its lanes, its mask, and what a stride does to the lines that memory hands out.

Idea      A launch is a grid of programs, each with a block of lanes. Lane i of program p takes element p · BLOCK + i, and a mask keeps the
          lanes of the last block off what is past the end. Memory moves whole lines of 128 bytes: lanes that want neighbours share a
          line (coalesced), lanes that want elements far apart take one each and throw the rest of it away.
Equation  z_i = x_i + y_i;   lines of lanes at elements s, s + k, s + 2k, … = |{⌊bytes · (s + k i) / 128⌋ : i < lanes}|
Paper     J. Nickolls, I. Buck, M. Garland, K. Skadron, "Scalable parallel programming with CUDA", ACM Queue 6(2), 2008.
Cost      add_bytes, copy_bytes; `lines` counts what the meter counts.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.launch import INTERPRETED

BLOCK = 64 if INTERPRETED else 1024  # lanes of a program
LINE = 128  # bytes


@triton.jit
def add_kernel(x_ptr: tl.tensor, y_ptr: tl.tensor, out_ptr: tl.tensor, size: tl.tensor, BLOCK: tl.constexpr) -> None:
    """Program p adds elements p · BLOCK to p · BLOCK + BLOCK - 1 of dense vectors."""
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = lane < size
    tl.store(out_ptr + lane, tl.load(x_ptr + lane, live) + tl.load(y_ptr + lane, live), live)


@triton.jit
def copy_kernel(x_ptr: tl.tensor, out_ptr: tl.tensor, size: tl.tensor, step: tl.tensor, BLOCK: tl.constexpr) -> None:
    """Reads every `step`-th element and writes a dense vector: the reading coalesces for a step of 1."""
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = lane < size
    tl.store(out_ptr + lane, tl.load(x_ptr + lane * step, live), live)


def add(x: Tensor, y: Tensor) -> Tensor:
    """x + y of two tensors of one shape and dtype. Differentiable. Raises ValueError for unlike ones."""
    out: Tensor = _add(x, y)
    return out


def copy(x: Tensor) -> Tensor:
    """A dense copy of a vector (n,) of any stride. Differentiable. Raises ValueError for more axes."""
    out: Tensor = _copy(x)
    return out


def add_bytes(size: int, itemsize: int) -> int:
    """Bytes that `add` loads and stores."""
    return 3 * size * itemsize


def copy_bytes(size: int, itemsize: int) -> int:
    """Bytes that `copy` loads and stores: the same for every stride, as the kernel counts them. Memory counts `lines`."""
    return 2 * size * itemsize


def lines(size: int, itemsize: int, step: int = 1, block: int = BLOCK) -> int:
    """Lines of 128 bytes that blocks of lanes touch at every step-th element of a vector that starts a line."""
    starts = range(0, size, block)
    touched = [{lane * itemsize * step // LINE for lane in range(s, min(s + block, size))} for s in starts]
    return sum(len(one) for one in touched)


@torch.library.custom_op("mlsys::add", mutates_args=())
def _add(x: Tensor, y: Tensor) -> Tensor:
    if x.shape != y.shape or x.dtype != y.dtype:
        raise ValueError(
            f"{x.dtype} {tuple(x.shape)} and {y.dtype} {tuple(y.shape)} have no common lanes: give two alike."
        )
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    if out.numel():
        add_kernel[(triton.cdiv(x.numel(), BLOCK),)](x.contiguous(), y.contiguous(), out, x.numel(), BLOCK=BLOCK)
    return out


@_add.register_fake
def _(x: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


@torch.library.custom_op("mlsys::copy", mutates_args=())
def _copy(x: Tensor) -> Tensor:
    if x.ndim != 1:
        raise ValueError(f"A vector has one axis, not {x.ndim}: flatten it first.")
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    if len(x):
        copy_kernel[(triton.cdiv(len(x), BLOCK),)](x, out, len(x), x.stride(0), BLOCK=BLOCK)
    return out


@_copy.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def _both(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    return grad, grad


def _same(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ARG001
    return grad


_add.register_autograd(_both)
_copy.register_autograd(_same)
