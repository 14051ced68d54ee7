"""Inclusive scan of a vector over many blocks: reduce, scan the sums, scan again from there.

Idea      Each element needs the sum of all before it, and programs cannot wait for each other. First each block finds its sum; one program
          scans the sums; then each block scans its elements, starting from the sum of the blocks before it. The vector is read twice
          and written once, which is a quarter less than to scan first and to add the offsets in another pass over the result.
Equation  y_i = Σ_{j ≤ i} x_j = (Σ over blocks before i's) + (scan inside of the block)
Paper     G. E. Blelloch, "Prefix sums and their applications", CMU-CS-90-190, 1990; D. Merrill, A. Grimshaw, "Parallel scan for stream
          architectures", University of Virginia CS2009-14 (reduce, then scan). A single pass is Merrill and Garland's decoupled
          look-back (NVIDIA NVR-2016-002): its programs do wait for others, and its order of addition changes.
Cost      scan_bytes: 3 elements for each, and 16 bytes a block.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.launch import INTERPRETED

BLOCK = 64 if INTERPRETED else 2048


@triton.jit
def block_sums_kernel(x_ptr: tl.tensor, sums_ptr: tl.tensor, size: tl.tensor, BLOCK: tl.constexpr) -> None:
    """The sum of each block."""
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    tl.store(sums_ptr + tl.program_id(0), tl.sum(tl.load(x_ptr + lane, lane < size, other=0.0).to(tl.float32)))


@triton.jit
def offsets_kernel(sums_ptr: tl.tensor, offsets_ptr: tl.tensor, blocks: tl.tensor, BLOCK: tl.constexpr) -> None:
    """One program: the sum of all blocks before each, a BLOCK of them at a time."""
    carried = 0.0
    for start in range(0, blocks, BLOCK):
        lane = start + tl.arange(0, BLOCK)
        sums = tl.load(sums_ptr + lane, lane < blocks, other=0.0)
        tl.store(offsets_ptr + lane, carried + tl.cumsum(sums, 0) - sums, lane < blocks)
        carried += tl.sum(sums)


@triton.jit
def scan_kernel(
    x_ptr: tl.tensor, offsets_ptr: tl.tensor, out_ptr: tl.tensor, size: tl.tensor, BLOCK: tl.constexpr
) -> None:
    """Each block from its offset."""
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + lane, lane < size, other=0.0).to(tl.float32)
    y = tl.load(offsets_ptr + tl.program_id(0)) + tl.cumsum(x, 0)
    tl.store(out_ptr + lane, y.to(out_ptr.dtype.element_ty), lane < size)


def cumulative_sum(x: Tensor) -> Tensor:
    """Inclusive sums of a vector (n,) -> (n,), added in float32. Differentiable. Raises ValueError for more axes."""
    out: Tensor = _scan(x)
    return out


def scan_bytes(size: int, itemsize: int, block: int = BLOCK) -> int:
    """Bytes that the three launches load and store: each block's sum goes out and in, and its offset too."""
    return 3 * size * itemsize + 16 * -(-size // block)


@torch.library.custom_op("mlsys::cumulative_sum", mutates_args=())
def _scan(x: Tensor) -> Tensor:
    if x.ndim != 1:
        raise ValueError(f"A vector has one axis, not {x.ndim}: take the rows one by one.")
    out, blocks = torch.empty(x.shape, dtype=x.dtype, device=x.device), triton.cdiv(len(x), BLOCK)
    if blocks:
        dense = x.contiguous()
        sums, offsets = (torch.empty(blocks, dtype=torch.float32, device=x.device) for _ in range(2))
        block_sums_kernel[(blocks,)](dense, sums, len(x), BLOCK=BLOCK)
        offsets_kernel[(1,)](sums, offsets, blocks, BLOCK=BLOCK)
        scan_kernel[(blocks,)](dense, offsets, out, len(x), BLOCK=BLOCK)
    return out


@_scan.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def _from_the_end(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ARG001
    back: Tensor = _scan(grad.flip(0))
    return back.flip(0)


_scan.register_autograd(_from_the_end)
