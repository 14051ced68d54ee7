"""Collectives from messages: what every rank has, everyone gets; in rings, where each byte crosses each link once.

Idea      Cut the tensor into a chunk a rank. In p - 1 steps each rank passes on the chunk that it just completed or received, so
          that all links are busy in every step and nobody sends more than anyone else.
Equation  reduce-scatter and all-gather: (p-1)/p · n bytes a rank in p - 1 steps; all-reduce is the one after the other.
Paper     P. Patarasuk, X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", JPDC 69(2), 2009;
          R. Thakur et al., "Optimization of collective communication operations in MPICH", IJHPCA 19(1), 2005.
Cost      T = (p-1) α + (p-1)/p n β each, twice that for all-reduce.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mlsys_core.parallelism.communication import Communicator


def chunk_sizes(total: int, parts: int) -> list[int]:
    """How `total` elements are cut into parts whose sizes differ by one at most, the longer ones first."""
    return [total // parts + (part < total % parts) for part in range(parts)]


def all_reduce(tensor: Tensor, comm: Communicator) -> Tensor:
    """Sums a tensor of the same shape on every rank, in place, and returns it; every rank gets the same bits."""
    flat = tensor.detach().reshape(-1).clone()
    chunks = list(flat.split(chunk_sizes(flat.numel(), comm.size)))
    _reduce_chunks(chunks, comm)
    _gather_chunks(chunks, comm)
    tensor.detach().copy_(flat.view(tensor.shape))
    return tensor


def reduce_scatter_tensor(output: Tensor, tensor: Tensor, comm: Communicator) -> Tensor:
    """output (n, …) becomes this rank's part of the sum of every rank's tensor (p n, …)."""
    chunks = list(tensor.detach().clone().chunk(comm.size)) if comm.size > 1 else [tensor.detach().clone()]
    _reduce_chunks(chunks, comm)
    output.detach().copy_(chunks[comm.rank])
    return output


def all_gather_into_tensor(output: Tensor, tensor: Tensor, comm: Communicator) -> Tensor:
    """output (p n, …) becomes every rank's tensor (n, …), in the order of ranks."""
    chunks = list(output.detach().chunk(comm.size)) if comm.size > 1 else [output.detach()]
    chunks[comm.rank].copy_(tensor.detach())
    _gather_chunks(chunks, comm)
    return output


def all_to_all_single(
    output: Tensor,
    tensor: Tensor,
    comm: Communicator,
    output_splits: Sequence[int] | None = None,
    input_splits: Sequence[int] | None = None,
) -> Tensor:
    """Part r of each rank's tensor goes to rank r; output holds what came, by sender. Splits count along the first axis."""
    outgoing = tensor.detach().split(list(input_splits or chunk_sizes(len(tensor), comm.size)))
    incoming = output.detach().split(list(output_splits or chunk_sizes(len(output), comm.size)))
    incoming[comm.rank].copy_(outgoing[comm.rank])
    for step in range(1, comm.size):
        to, source = (comm.rank + step) % comm.size, (comm.rank - step) % comm.size
        comm.sendrecv(outgoing[to], to, incoming[source], source)
    return output


def broadcast(tensor: Tensor, comm: Communicator, source: int = 0) -> Tensor:
    """Every rank's tensor becomes that of rank `source`, along a binomial tree."""
    place, reach = (comm.rank - source) % comm.size, 1
    while reach < comm.size:
        if place < reach and place + reach < comm.size:
            comm.send(tensor, (place + reach + source) % comm.size)
        elif reach <= place < 2 * reach:
            comm.recv(tensor, (place - reach + source) % comm.size)
        reach *= 2
    return tensor


def barrier(comm: Communicator) -> None:
    """Returns once every rank has come."""
    all_reduce(torch.zeros(1), comm)


def _reduce_chunks(chunks: list[Tensor], comm: Communicator) -> None:
    """Leaves the sum of chunk r in rank r's list; the others hold parts of sums."""
    for step in range(comm.size - 1):
        out, come = (comm.rank - step - 1) % comm.size, (comm.rank - step - 2) % comm.size
        got = comm.sendrecv(
            chunks[out], (comm.rank + 1) % comm.size, torch.empty_like(chunks[come]), (comm.rank - 1) % comm.size
        )
        chunks[come].add_(got)


def _gather_chunks(chunks: list[Tensor], comm: Communicator) -> None:
    """Fills every chunk from the rank of its number."""
    for step in range(comm.size - 1):
        out, come = (comm.rank - step) % comm.size, (comm.rank - step - 1) % comm.size
        comm.sendrecv(chunks[out], (comm.rank + 1) % comm.size, chunks[come], (comm.rank - 1) % comm.size)
