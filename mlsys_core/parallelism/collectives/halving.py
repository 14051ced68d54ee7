"""Recursive halving and doubling: as few steps as a tree, as few bytes as a ring, where the ranks are a power of two.

Idea      Partners at distance p/2 exchange halves and sum them, then at p/4 quarters, and so on until each rank owns the sum of
          one chunk; the way back puts the chunks together. For short tensors, partners exchange all of it and skip the way back.
Equation  Partners at distance d differ in one bit: r and r xor d. Ranks beyond the largest power of two q give their tensor to
          rank r - q before and get the sum after.
Paper     R. Rabenseifner, "Optimization of collective reduction operations", ICCS 2004; R. Thakur et al., IJHPCA 19(1), 2005.
Cost      2 log2 q α + 2 (q-1)/q n β, or log2 q (α + n β) by doubling alone; 2 (α + n β) more where p is not q.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import torch
from torch import Tensor

from mlsys_core.parallelism.collectives.ring import chunk_sizes
from mlsys_core.parallelism.communication import Communicator

Pair = tuple[int, slice, slice]  # partner, the elements on this rank's side, those on the partner's


def halving_all_reduce(flat: Tensor, comm: Communicator) -> None:
    """Sums a flat contiguous tensor of the same length on every rank, in place: halves, then doubles."""

    def exchange(place: int, q: int) -> None:
        pairs = _pairs(place, q, flat.numel())
        for partner, mine, theirs in reversed(pairs):
            flat[mine] += comm.sendrecv(flat[theirs], partner, torch.empty_like(flat[mine]), partner)
        for partner, mine, theirs in pairs:
            comm.sendrecv(flat[mine], partner, flat[theirs], partner)

    _among_a_power_of_two(flat, comm, exchange)


def doubling_all_reduce(flat: Tensor, comm: Communicator) -> None:
    """Sums a tensor of the same length on every rank, in place: partners exchange all of it, at distance 1, 2, 4, …"""

    def exchange(place: int, q: int) -> None:
        for partner, _, _ in _pairs(place, q, 0):
            flat.add_(comm.sendrecv(flat, partner, torch.empty_like(flat), partner))

    _among_a_power_of_two(flat, comm, exchange)


def power_of_two(p: int) -> int:
    """The largest power of two that is not above p."""
    return 1 << (p.bit_length() - 1)


def halving_steps(p: int) -> int:
    """Messages one after the other."""
    return 2 * doubling_steps(power_of_two(p)) + 2 * (p != power_of_two(p))


def doubling_steps(p: int) -> int:
    """Messages one after the other, by doubling alone."""
    return power_of_two(p).bit_length() - 1 + 2 * (p != power_of_two(p))


def halving_all_reduce_sent(p: int, n: int, rank: int) -> int:
    """Elements of n that a rank sends."""
    q = power_of_two(p)
    if rank >= q:
        return n
    elements = range(n)
    exchanged = sum(len(elements[mine]) + len(elements[theirs]) for _, mine, theirs in _pairs(rank, q, n))
    return exchanged + n * (rank + q < p)


def doubling_all_reduce_sent(p: int, n: int, rank: int) -> int:
    """Elements of n that a rank sends, by doubling alone."""
    q = power_of_two(p)
    return n if rank >= q else n * (doubling_steps(q) + (rank + q < p))


def halving_all_reduce_cost(p: int, n: float, alpha: float, beta: float) -> float:
    """Seconds for n bytes."""
    q = power_of_two(p)
    return 2 * doubling_steps(q) * alpha + 2 * (q - 1) / q * n * beta + 2 * (p != q) * (alpha + n * beta)


def doubling_all_reduce_cost(p: int, n: float, alpha: float, beta: float) -> float:
    """Seconds for n bytes, by doubling alone."""
    return doubling_steps(p) * (alpha + n * beta)


def _among_a_power_of_two(flat: Tensor, comm: Communicator, exchange: Callable[[int, int], None]) -> None:
    """Runs the exchange among the first q ranks, which add the tensors of the others before and give them the sum after."""
    q = power_of_two(comm.size)
    if comm.rank >= q:
        comm.send(flat, comm.rank - q)
        comm.recv(flat, comm.rank - q)
        return
    extra = comm.rank + q
    if extra < comm.size:
        flat.add_(comm.recv(torch.empty_like(flat), extra))
    exchange(comm.rank, q)
    if extra < comm.size:
        comm.send(flat, extra)


def _pairs(place: int, q: int, n: int) -> list[Pair]:
    """Partners of a place at distance 1, 2, 4, … below q, and which of n elements each of the two then holds."""
    starts = [0, *accumulate(chunk_sizes(n, q))]

    def held(by: int, distance: int) -> slice:
        first = by & ~(distance - 1)
        return slice(starts[first], starts[first + distance])

    distances = [1 << bit for bit in range(q.bit_length() - 1)]
    return [(place ^ d, held(place, d), held(place ^ d, d)) for d in distances]
