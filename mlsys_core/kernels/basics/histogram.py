"""Histogram: atomics on every element, or on every bin of a program.

Idea      Each element adds one to a bin that only its value names, so programs collide and must add by atomics. To memory, an atomic is a
          round trip, and popular bins queue. A program that first counts its own elements on the chip sends one atomic a bin instead
          of one an element. Counts are integers, so the order of additions does not show.
Equation  h_b = |{i : x_i = b}|
Paper     J. Gómez-Luna et al., "An optimized approach to histogram computation on GPU", Machine Vision and Applications 24, 2013
          (a histogram for each block, then one of all).
Cost      histogram_bytes: the elements once, and 4 bytes an atomic.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.launch import INTERPRETED, multiprocessors

BLOCK = 64 if INTERPRETED else 2048


@triton.jit
def histogram_kernel(
    x_ptr: tl.tensor, out_ptr: tl.tensor, size: tl.tensor, bins: tl.tensor, BINS: tl.constexpr, BLOCK: tl.constexpr
) -> None:
    """Program p counts blocks p, p + P, … by itself, then adds its counts to all."""
    counts = tl.zeros((BINS,), tl.int32)
    for block in range(tl.program_id(0), tl.cdiv(size, BLOCK), tl.num_programs(0)):
        lane = tl.cast(block, tl.int64) * BLOCK + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + lane, lane < size, other=0)
        counts += tl.histogram(x, BINS, mask=(lane < size) & (x >= 0) & (x < bins))
    bin_ = tl.arange(0, BINS)
    tl.atomic_add(out_ptr + bin_, counts, bin_ < bins)


@triton.jit
def histogram_by_elements_kernel(
    x_ptr: tl.tensor, out_ptr: tl.tensor, size: tl.tensor, bins: tl.tensor, BLOCK: tl.constexpr
) -> None:
    """An atomic for each element: how not to."""
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + lane, lane < size, other=0)
    tl.atomic_add(out_ptr + x, 1, (lane < size) & (x >= 0) & (x < bins))


def histogram(x: Tensor, bins: int) -> Tensor:
    """How often 0, 1, … bins - 1 stand in x (int32, any shape) -> (bins,) int32; other values are left out.

    Raises ValueError for another dtype, no bins, or more than 4096, which no program can hold.
    """
    out: Tensor = _histogram(x, bins)
    return out


def histogram_programs(size: int, device: torch.device) -> int:
    """Programs that count: what runs side by side, and no more than there are blocks."""
    return int(max(1, min(triton.cdiv(size, BLOCK), 2 * multiprocessors(device))))


def histogram_bytes(size: int, bins: int, programs: int) -> int:
    """Bytes loaded, and added by atomics."""
    return 4 * size + 4 * bins * programs


@torch.library.custom_op("mlsys::histogram", mutates_args=())
def _histogram(x: Tensor, bins: int) -> Tensor:
    if x.dtype != torch.int32 or not 0 < bins <= 4096:
        raise ValueError(f"{bins} bins of {x.dtype}: give int32 values and 1 to 4096 bins.")
    out = torch.zeros(bins, dtype=torch.int32, device=x.device)
    if x.numel():
        programs, most = histogram_programs(x.numel(), x.device), triton.next_power_of_2(bins)
        histogram_kernel[(programs,)](x.contiguous(), out, x.numel(), bins, BINS=most, BLOCK=BLOCK)
    return out


@_histogram.register_fake
def _(x: Tensor, bins: int) -> Tensor:
    return torch.empty(bins, dtype=torch.int32, device=x.device)
