"""Rows: how a tensor becomes a matrix of rows for a kernel, and how many programs share them.

Idea      Normalisations, softmax and losses treat each row alone. A program takes a row at a time into registers, so that each element
          comes from memory once, and goes on to the row that lies `programs` further. What all rows share, a weight say, it loads once.
Equation  rows of program p = {p, p + P, p + 2P, …}, P = min(rows, programs a multiprocessor · multiprocessors)
Paper     S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52(4), 2009: one operation a byte waits for bytes, so these kernels are
          judged by bytes alone.
Cost      Here only views; a copy where the last axis has gaps or the leading axes have no common stride.
"""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from .launch import multiprocessors

WIDEST = 32_768  # elements of a row that one program may hold: 128 KiB of float32 over its threads' registers


def as_rows(x: Tensor) -> Tensor:
    """x (..., W) as (rows, W) whose last stride is 1: a view where the strides allow it."""
    flat = x.reshape(-1, x.shape[-1]) if x.numel() else x.new_empty((x.numel() // max(1, x.shape[-1]), x.shape[-1]))
    return flat if flat.stride(1) == 1 or flat.shape[1] <= 1 else flat.contiguous()


def programs_for(rows: int, device: torch.device, each: int) -> int:
    """How many programs share the rows when a multiprocessor runs `each` of them at a time."""
    return max(1, min(rows, each * multiprocessors(device)))


def block_of(width: int) -> int:
    """The power of two that holds a row. Raises ValueError for a row that is too wide for one program."""
    if width > WIDEST:
        raise ValueError(f"A row of {width} elements does not fit the registers of one program: {WIDEST} is the most.")
    return max(1, triton.next_power_of_2(width))


def warps_for(block: int, elements: int = 16) -> int:
    """Warps that give a thread about `elements` of a block, within what a program may have."""
    return max(1, min(32, block // (32 * elements)))
