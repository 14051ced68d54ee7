"""Sum of a vector, in two passes or by atomics: the same answer to the bit, or one launch fewer.

Idea      Programs cannot wait for each other, so a sum over all of them needs a second launch, or atomic additions into one place. Two
          passes add in an order that the sizes alone decide: two runs agree to the bit. Atomics arrive in the order of the day, and
          floating-point addition is not associative, so their last bits differ from run to run.
Equation  s = Σ_p s_p,  s_p = Σ over blocks p, p + P, … of Σ lanes
Paper     M. Harris, "Optimizing parallel reduction in CUDA", NVIDIA, 2007; W. D. Hillis, G. L. Steele, "Data parallel algorithms",
          CACM 29(12), 1986 (the tree inside of a block).
Cost      sum_bytes: the vector once, and 8 bytes a program (a partial sum out and in), or 4 (an atomic).
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.launch import INTERPRETED, multiprocessors

BLOCK = 64 if INTERPRETED else 4096  # elements that a program has in flight
MOST = 4096  # partial sums that the second pass takes


@triton.jit
def sum_kernel(
    x_ptr: tl.tensor, out_ptr: tl.tensor, size: tl.tensor, BLOCK: tl.constexpr, ATOMIC: tl.constexpr
) -> None:
    """Program p sums blocks p, p + P, … of a dense vector, lane by lane and then across lanes."""
    lanes = tl.zeros((BLOCK,), tl.float32)
    for block in range(tl.program_id(0), tl.cdiv(size, BLOCK), tl.num_programs(0)):
        at = tl.cast(block, tl.int64) * BLOCK + tl.arange(0, BLOCK)
        lanes += tl.load(x_ptr + at, at < size, other=0.0).to(tl.float32)
    if ATOMIC:
        tl.atomic_add(out_ptr, tl.sum(lanes))
    else:
        tl.store(out_ptr + tl.program_id(0), tl.sum(lanes))


def total(x: Tensor, *, atomic: bool = False) -> Tensor:
    """The sum of all elements of x, a float32 scalar, added in float32. Differentiable. Without `atomic` two calls agree to the bit."""
    out: Tensor = _total(x, atomic)
    return out


def sum_programs(size: int, device: torch.device) -> int:
    """Programs of the first pass: what runs side by side, and no more than there are blocks."""
    return int(max(1, min(triton.cdiv(size, BLOCK), 4 * multiprocessors(device), MOST)))


def sum_bytes(size: int, itemsize: int, programs: int, *, atomic: bool = False) -> int:
    """Bytes loaded, stored and added by atomics."""
    return size * itemsize + (4 * programs if atomic else 8 * programs + 4)


@torch.library.custom_op("mlsys::total", mutates_args=())
def _total(x: Tensor, atomic: bool) -> Tensor:
    dense, programs = x.contiguous(), sum_programs(x.numel(), x.device)
    out = torch.zeros((), dtype=torch.float32, device=x.device)
    if atomic:
        sum_kernel[(programs,)](dense, out, x.numel(), BLOCK=BLOCK, ATOMIC=True)
        return out
    parts = torch.empty(programs, dtype=torch.float32, device=x.device)
    sum_kernel[(programs,)](dense, parts, x.numel(), BLOCK=BLOCK, ATOMIC=False)
    sum_kernel[(1,)](parts, out, programs, BLOCK=BLOCK, ATOMIC=False)
    return out


@_total.register_fake
def _(x: Tensor, atomic: bool) -> Tensor:  # noqa: ARG001
    return torch.empty((), dtype=torch.float32, device=x.device)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    ctx.like = inputs[0].shape, inputs[0].dtype


def _spread(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    shape, dtype = ctx.like
    return grad.to(dtype).expand(shape), None


_total.register_autograd(_spread, setup_context=_keep)
