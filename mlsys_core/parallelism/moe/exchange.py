"""Rows to the ranks that have their experts, and the results back.

Idea      Each rank has all of the layer for its tokens, except for the experts, of which it has a few for everybody's tokens. Who
          gets how many rows is known only once the tokens are routed, so the ranks tell each other the counts first.
Equation  rows from rank r to rank d: Σ_{e of d} n_{r e};   the transpose of an all-to-all is the all-to-all back
Paper     D. Lepikhin et al., "GShard", arXiv 2006.16668, section 3.2.
Cost      `expert_parallel_cost`, exact for what was routed; (p-1)/p k N d e bytes each way in all where it is balanced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from mlsys_core.parallelism.collectives import all_to_all_single
from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.volume import Volume

# rows (A, d) by expert, how many each expert has -> rows (A, d)
Experts = Callable[[Tensor, Tensor], Tensor]
COUNT_SIZE = 8  # bytes of an int64


class _AllToAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, comm: Communicator, sent: list[int], came: list[int]) -> Tensor:
        ctx.about = comm, came, sent
        return _trade(rows, comm, sent, came)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _trade(grads[0], *ctx.about), None, None, None


def exchange(rows: Tensor, counts: Tensor, comm: Communicator, sizes: Sequence[int], run: Experts) -> Tensor:
    """Results (A, d) for rows (A, d) that stand by expert; counts (E,) say how many each of all experts gets from here.

    Rank r has sizes[r] experts, in order; `run` computes those of this rank.
    """
    own = sizes[comm.rank]
    with comm.label("counts"):
        told = all_to_all_single(counts.new_empty(comm.size * own), counts, comm, [own] * comm.size, sizes)
    sent = [int(part.sum()) for part in counts.split(list(sizes))]
    came = told.view(comm.size, own).sum(1).tolist()
    arrived = _labelled("dispatch", rows, comm, sent, came)
    order = torch.arange(own).repeat(comm.size).repeat_interleave(told).argsort(stable=True)
    results = run(arrived[order], told.view(comm.size, own).sum(0))
    return _labelled("combine", results[order.argsort()], comm, came, sent)


def expert_parallel_cost(
    routed: Sequence[Sequence[int]], sizes: Sequence[int], dim: int, *, element_size: int = 4
) -> Volume:
    """Bytes that all ranks send together for one layer; routed[r][e] rows of rank r went to expert e of all."""
    owner = [rank for rank, size in enumerate(sizes) for _ in range(size)]
    far = sum(rows for rank, own in enumerate(routed) for e, rows in enumerate(own) if owner[e] != rank)
    there_and_back = 2 * far * dim * element_size
    return Volume(there_and_back + (len(sizes) - 1) * len(owner) * COUNT_SIZE, there_and_back)


def _labelled(name: str, rows: Tensor, comm: Communicator, sent: list[int], came: list[int]) -> Tensor:
    with comm.label(name):
        result: Tensor = _AllToAll.apply(rows, comm, sent, came)
    return result


def _trade(rows: Tensor, comm: Communicator, sent: list[int], came: list[int]) -> Tensor:
    return all_to_all_single(rows.new_empty((sum(came), *rows.shape[1:])), rows.contiguous(), comm, came, sent)
