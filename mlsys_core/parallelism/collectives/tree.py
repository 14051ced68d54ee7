"""Binomial trees: in every round, each rank that has the data gives it to one that has not.

Idea      The number of ranks that have the data doubles in each round, so the last has it after log2 p rounds. Backwards, the
          same tree sums. Few steps, but every message is the whole tensor: for small ones.
Equation  In round i, rank r < 2^i sends to rank r + 2^i, where there is one; ranks are counted from the root.
Paper     R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective communication operations in MPICH", IJHPCA 19(1),
          2005.
Cost      ceil(log2 p) (α + n β) to broadcast or to reduce, twice that for all-reduce.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlsys_core.parallelism.communication import Communicator


def broadcast(tensor: Tensor, comm: Communicator, source: int = 0) -> Tensor:
    """Every rank's tensor becomes that of rank `source`. Returns the tensor."""
    place = (comm.rank - source) % comm.size
    for reach in _rounds(comm.size):
        if place < reach and place + reach < comm.size:
            comm.send(tensor, (comm.rank + reach) % comm.size)
        elif reach <= place < 2 * reach:
            comm.recv(tensor, (comm.rank - reach) % comm.size)
    return tensor


def reduce(tensor: Tensor, comm: Communicator, destination: int = 0) -> Tensor:
    """The tensor of rank `destination` becomes the sum of every rank's; the others' stay. Returns the tensor."""
    place = (comm.rank - destination) % comm.size
    total = tensor.detach().clone(memory_format=torch.contiguous_format)
    for reach in reversed(_rounds(comm.size)):
        if place < reach and place + reach < comm.size:
            total += comm.recv(torch.empty_like(total), (comm.rank + reach) % comm.size)
        elif reach <= place < 2 * reach:
            comm.send(total, (comm.rank - reach) % comm.size)
    if place == 0:
        tensor.detach().copy_(total)
    return tensor


def tree_all_reduce(flat: Tensor, comm: Communicator) -> None:
    """Sums a tensor of the same length on every rank, in place: to rank 0 and back."""
    reduce(flat, comm)
    broadcast(flat, comm)


def tree_steps(p: int) -> int:
    """Messages one after the other of a broadcast or a reduction: ceil(log2 p). All-reduce has twice as many."""
    return (p - 1).bit_length()


def broadcast_sent(p: int, n: int, place: int) -> int:
    """Elements that the rank at this place (0: the root) sends in a broadcast of n: n to each of its children."""
    return n * sum(place < reach and place + reach < p for reach in _rounds(p))


def reduce_sent(p: int, n: int, place: int) -> int:
    """Elements that the rank at this place sends in a reduction: all to its parent; the root has none."""
    return n * (0 < place < p)


def tree_all_reduce_sent(p: int, n: int, rank: int) -> int:
    """Elements that a rank sends in an all-reduce of n."""
    return reduce_sent(p, n, rank) + broadcast_sent(p, n, rank)


def tree_cost(p: int, n: float, alpha: float, beta: float) -> float:
    """Seconds of a broadcast or a reduction of n bytes."""
    return tree_steps(p) * (alpha + n * beta)


def tree_all_reduce_cost(p: int, n: float, alpha: float, beta: float) -> float:
    """Seconds of an all-reduce of n bytes."""
    return 2 * tree_cost(p, n, alpha, beta)


def _rounds(p: int) -> list[int]:
    """1, 2, 4, … below p."""
    return [1 << place for place in range(tree_steps(p))]
