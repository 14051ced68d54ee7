"""Where a computation enters or leaves the part that ranks share: pairs of a collective and its transpose.

Idea      A collective is a linear map of what all ranks hold, so its gradient is its transpose: a copy is summed on the way back
          (f), a sum is copied on the way back (g). With sequences cut outside of the shared part, a gather is reduce-scattered
          on the way back, and the other way round.
Equation  f: y_r = x, x̄ = Σ_r ȳ_r      g: y = Σ_r x_r, x̄_r = ȳ
          f̄: y = [x_0 … x_{p-1}], x̄_r = (Σ_s ȳ_s)_r      ḡ: y_r = (Σ_s x_s)_r, x̄ = [ȳ_0 … ȳ_{p-1}]
Paper     M. Shoeybi et al., "Megatron-LM", arXiv 1909.08053, section 3 (f, g); V. Korthikanti et al., "Reducing activation
          recomputation in large transformer models", arXiv 2205.05198, section 4.2.2 (with sequences).
Cost      2 (p-1)/p n bytes a rank for an all-reduce of n; half of that each for an all-gather and a reduce-scatter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from mlsys_core.parallelism.collectives import (
    all_gather_into_tensor,
    all_reduce,
    all_to_all_single,
    chunk_sizes,
    reduce_scatter_tensor,
)
from mlsys_core.parallelism.communication import Communicator

Map = Callable[[Tensor], Tensor]
SEQUENCE = 1  # the axis of time of (batch, time, width)


class _Region(torch.autograd.Function):
    """A linear map and its transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Map, back: Map) -> Tensor:
        ctx.back = back
        return there(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.back(grads[0]), None, None


def copy_to_region(x: Tensor, comm: Communicator) -> Tensor:
    """f: x, the same on every rank, is used by each for a part of the work; the gradient is the sum of theirs."""
    return _apply(x, torch.clone, lambda g: all_reduce(g.clone(), comm))


def reduce_from_region(x: Tensor, comm: Communicator) -> Tensor:
    """g: the sum of every rank's x; each rank's x has the gradient of the sum."""
    return _apply(x, lambda y: all_reduce(y.clone(), comm), torch.clone)


def gather_from_region(x: Tensor, comm: Communicator, sizes: Sequence[int]) -> Tensor:
    """x (…, sizes[rank]) of every rank side by side, (…, Σ sizes); the gradient is a rank's part."""
    return _apply(x, lambda y: gather(y, -1, sizes, comm), lambda g: part(g, -1, sizes, comm))


def scatter_to_region(x: Tensor, comm: Communicator, sizes: Sequence[int]) -> Tensor:
    """This rank's part (…, sizes[rank]) of x (…, Σ sizes), the same on every rank; the gradient is gathered."""
    return _apply(x, lambda y: part(y, -1, sizes, comm), lambda g: gather(g, -1, sizes, comm))


def gather_from_sequence_region(x: Tensor, comm: Communicator) -> Tensor:
    """f̄: x (B, T/p, d) of every rank in order, (B, T, d); the gradient is summed over ranks and cut."""
    return _apply(x, lambda y: _gather_sequence(y, comm), lambda g: _reduce_scatter_sequence(g, comm))


def reduce_scatter_to_sequence_region(x: Tensor, comm: Communicator) -> Tensor:
    """ḡ: this rank's (B, T/p, d) of the sum of every rank's x (B, T, d); the gradient is gathered. T is a multiple of p."""
    return _apply(x, lambda y: _reduce_scatter_sequence(y, comm), lambda g: _gather_sequence(g, comm))


def shares(total: int, comm: Communicator, what: str) -> tuple[int, ...]:
    """How many of `total` rows or columns each rank gets. Raises ValueError where one would get none."""
    if total < comm.size:
        raise ValueError(f"{what} of {total} cannot be cut for {comm.size} ranks: use at most {total} ranks.")
    return tuple(chunk_sizes(total, comm.size))


def part(x: Tensor, axis: int, sizes: Sequence[int], comm: Communicator) -> Tensor:
    """This rank's part of a tensor that every rank has, a copy."""
    return x.split(list(sizes), axis)[comm.rank].clone()


def gather(x: Tensor, axis: int, sizes: Sequence[int], comm: Communicator) -> Tensor:
    """Every rank's part along an axis, side by side; parts may differ in size, so each goes to everyone directly."""
    own = x.detach().movedim(axis, 0)
    output = own.new_empty((sum(sizes), *own.shape[1:]))
    copies = own.expand(comm.size, *own.shape).flatten(0, 1)
    all_to_all_single(output, copies, comm, list(sizes), [len(own)] * comm.size)
    return output.movedim(0, axis).contiguous()


def _apply(x: Tensor, there: Map, back: Map) -> Tensor:
    result: Tensor = _Region.apply(x, there, back)
    return result


def _gather_sequence(x: Tensor, comm: Communicator) -> Tensor:
    own = x.detach().movedim(SEQUENCE, 0)
    output = own.new_empty((len(own) * comm.size, *own.shape[1:]))
    return all_gather_into_tensor(output, own, comm).movedim(0, SEQUENCE).contiguous()


def _reduce_scatter_sequence(x: Tensor, comm: Communicator) -> Tensor:
    whole = x.detach().movedim(SEQUENCE, 0)
    if len(whole) % comm.size:
        raise ValueError(
            f"A sequence of {len(whole)} cannot be cut evenly for {comm.size} ranks: give a multiple of {comm.size}."
        )
    output = whole.new_empty((len(whole) // comm.size, *whole.shape[1:]))
    return reduce_scatter_tensor(output, whole, comm).movedim(0, SEQUENCE).contiguous()
