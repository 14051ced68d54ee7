"""Rows: how a tensor becomes a matrix of rows for a kernel, and how many programs share them.

Idea      Normalisations, softmax and losses treat each row alone. A program takes a row at a time into registers, so that each element
          comes from memory once, and goes on to the row that lies P further. What all rows share, a weight say, it loads once.
Equation  rows of program p = {p, p + P, p + 2P, …},  P = min(rows, programs that run side by side)
Paper     S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52(4), 2009: with one operation a byte these kernels wait for bytes,
          so bytes alone judge them.
Cost      Views only; a copy where the last axis has gaps or the leading axes have no common stride.
"""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from .launch import multiprocessors

WIDEST = 32_768  # elements of a row that one program may hold: 128 KiB of float32 over its threads' registers


def as_rows(x: Tensor) -> Tensor:
    """x (..., W) as (rows, W) whose last stride is 1: a view where the strides allow it."""
    width = x.shape[-1]
    flat = x.reshape(-1, width) if x.numel() else x.new_empty((0, width))
    return flat if flat.stride(1) == 1 else flat.contiguous()


def like(x: Tensor) -> Tensor:
    """A contiguous tensor of x's shape and dtype without values."""
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def row_numbers(x: Tensor) -> Tensor:
    """A float32 for each row of x (..., W), without values: (rows,)."""
    return torch.empty(x.shape[:-1].numel(), dtype=torch.float32, device=x.device)


def partials(x: Tensor, programs: int) -> Tensor:
    """A row of float32 for each program that works on x (..., W), without values; none where x has no elements."""
    return torch.empty((programs if x.numel() else 0, x.shape[-1]), dtype=torch.float32, device=x.device)


def programs_for(x: Tensor, each: int = 1) -> int:
    """How many programs share the rows of x (..., W) when a multiprocessor runs `each` of them at a time."""
    return int(max(1, min(x.shape[:-1].numel(), each * multiprocessors(x.device))))


def block_of(width: int) -> int:
    """The power of two that holds a row. Raises ValueError for a row that is too wide for one program."""
    if width > WIDEST:
        raise ValueError(f"A row of {width} elements does not fit the registers of one program: {WIDEST} is the most.")
    return int(triton.next_power_of_2(width))


def warps_for(width: int, elements: int = 16) -> int:
    """Warps that give a thread about so many elements of a row, within the 32 that a program may have."""
    return max(1, min(32, int(triton.next_power_of_2(width)) // (32 * elements)))


def weight_fits(x: Tensor, *weights: Tensor) -> None:
    """Raises ValueError unless each weight is contiguous and has one element for each of the last axis of x."""
    for weight in weights:
        if weight.shape != x.shape[-1:] or not weight.is_contiguous():
            raise ValueError(
                f"A weight of shape {tuple(weight.shape)} cannot scale rows of {x.shape[-1]}: give one dense vector as long."
            )


def same_as(x: Tensor, other: Tensor) -> None:
    """Raises ValueError unless both have the same shape and dtype."""
    if other.shape != x.shape or other.dtype != x.dtype:
        raise ValueError(
            f"{other.dtype} of {tuple(other.shape)} cannot be paired with {x.dtype} of {tuple(x.shape)}: give two alike."
        )


def wanted(*tensors: Tensor) -> bool:
    """Whether a gradient of any of them may be asked for."""
    return torch.is_grad_enabled() and any(one.requires_grad for one in tensors)
