"""Which all-reduce: by name, or the one that the model says is the fastest for this many ranks, bytes and this fabric.

Idea      Short tensors pay for steps, long ones for bytes. Each algorithm's time is a line over n, so which one is the fastest
          changes at a few sizes, where lines cross.
Equation  T_a(n) = A_a + B_a n;   a and b cross at n = (A_a - A_b) / (B_b - B_a)
Paper     R. Thakur, R. Rabenseifner, W. Gropp, IJHPCA 19(1), 2005, section 4 (algorithms by size of the message).
Cost      As the algorithm chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mlsys_core.parallelism.collectives import halving, ring, tree
from mlsys_core.parallelism.collectives.islands import Islands, two_level_cost
from mlsys_core.parallelism.communication import Communicator, Fabric


@dataclass(frozen=True)
class Algorithm:
    """An all-reduce of a flat tensor in place, and what it costs.

    run     (flat, communicator) -> None
    sent    (p, n, rank) -> elements of n that a rank sends
    steps   p -> messages one after the other
    cost    (p, n, alpha, beta) -> seconds for n bytes
    """

    run: Callable[[Tensor, Communicator], None]
    sent: Callable[[int, int, int], int]
    steps: Callable[[int], int]
    cost: Callable[[int, float, float, float], float]


ALL_REDUCE = {
    "ring": Algorithm(
        ring.ring_all_reduce, ring.ring_all_reduce_sent, lambda p: 2 * ring.ring_steps(p), ring.ring_all_reduce_cost
    ),
    "tree": Algorithm(
        tree.tree_all_reduce, tree.tree_all_reduce_sent, lambda p: 2 * tree.tree_steps(p), tree.tree_all_reduce_cost
    ),
    "halving": Algorithm(
        halving.halving_all_reduce,
        halving.halving_all_reduce_sent,
        halving.halving_steps,
        halving.halving_all_reduce_cost,
    ),
    "doubling": Algorithm(
        halving.doubling_all_reduce,
        halving.doubling_all_reduce_sent,
        halving.doubling_steps,
        halving.doubling_all_reduce_cost,
    ),
}


def all_reduce(tensor: Tensor, comm: Communicator, algorithm: str = "ring") -> Tensor:
    """Sums a tensor of the same shape on every rank, in place, and returns it; every rank gets the same bits.

    Raises ValueError for an algorithm that is not in ALL_REDUCE.
    """
    if algorithm not in ALL_REDUCE:
        raise ValueError(f"There is no all-reduce called {algorithm!r}: give one of {', '.join(ALL_REDUCE)}.")
    flat = tensor.detach().reshape(-1).clone()
    ALL_REDUCE[algorithm].run(flat, comm)
    tensor.detach().copy_(flat.view(tensor.shape))
    return tensor


def barrier(comm: Communicator) -> None:
    """Returns once every rank has come."""
    all_reduce(torch.zeros(1), comm, "doubling")


def best_algorithm(p: int, n: float, fabric: Fabric) -> str:
    """The fastest all-reduce of n bytes by the model: a name of ALL_REDUCE, or `two_level` on islands.

    Flat algorithms on more ranks than an island holds are priced as if every message went outside, which is right for the ring
    and no less than the truth for the others.
    """
    alpha, beta = fabric.alpha_s, fabric.beta_s
    costs = {}
    if isinstance(fabric, Islands) and p > fabric.island:
        alpha, beta = fabric.outer_alpha_s, fabric.outer_beta_s
        if p % fabric.island == 0:
            costs["two_level"] = two_level_cost(p, n, fabric)
    costs |= {name: algorithm.cost(p, n, alpha, beta) for name, algorithm in ALL_REDUCE.items()}
    return min(costs, key=costs.__getitem__)


def crossovers(p: int, alpha: float, beta: float) -> list[tuple[float, str]]:
    """From how many bytes on which all-reduce is the fastest on a flat fabric: [(0, …), (bytes, …), …], sizes ascending."""
    lines = {name: (a.cost(p, 0, alpha, beta), a.cost(p, 1, 0, beta)) for name, a in ALL_REDUCE.items()}
    name = min(lines, key=lines.__getitem__)
    found = [(0.0, name)]
    while True:
        start, slope = lines[name]
        flatter = {
            other: ((there - start) / (slope - less), less) for other, (there, less) in lines.items() if less < slope
        }
        if not flatter:
            return found
        # the line that is met first; of several met at once the flattest goes on below the others
        name = min(flatter, key=flatter.__getitem__)
        found.append((flatter[name][0], name))
