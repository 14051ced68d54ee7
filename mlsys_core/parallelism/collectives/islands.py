"""Machines with a fast fabric inside and a slow one outside: sum inside first, and little is left to carry across.

Idea      Inside an island of k ranks each rank sums one part of k; equal parts of the m islands are then summed across, on k
          links at once; the sums are gathered inside. Only 1/k of the bytes of a rank go outside.
Equation  all-reduce = all-gather(inside) ∘ all-reduce(across) ∘ reduce-scatter(inside)
Paper     R. Thakur, W. Gropp, "Improving the performance of collective operations in MPICH", EuroPVM/MPI 2003 (levels of a
          machine); M. Cho et al., "BlueConnect", MLSys 2019 (all-reduce as reduce-scatters and all-gathers by level).
Cost      2 (k-1)(α + n/k β) inside + 2 (m-1)(α' + n/(k m) β') outside; a flat ring has 2 (km-1)(α' + n/(k m) β').
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mlsys_core.parallelism.collectives.ring import (
    all_gather,
    chunk_sizes,
    reduce_scatter,
    ring_all_reduce,
    ring_all_reduce_cost,
    ring_all_reduce_sent,
)
from mlsys_core.parallelism.communication import Communicator, Fabric


@dataclass(frozen=True)
class Islands(Fabric):
    """Islands of `island` ranks in a row: `alpha_s` and `beta_s` hold inside one, the `outer_` two between them."""

    island: int = 8
    outer_alpha_s: float = 1.0
    outer_beta_s: float = 0.0

    def seconds(self, source: int, to: int, size: int) -> float:
        """How long `size` bytes take from one rank to another."""
        if source // self.island == to // self.island:
            return self.alpha_s + self.beta_s * size
        return self.outer_alpha_s + self.outer_beta_s * size


def two_level_all_reduce(tensor: Tensor, comm: Communicator, island: int) -> Tensor:
    """Sums a tensor of the same shape on every rank, in place, and returns it. Islands are `island` ranks in a row."""
    _whole_islands(comm.size, island)
    first, place = comm.rank - comm.rank % island, comm.rank % island
    inside = comm.group(range(first, first + island))
    across = comm.group(range(place, comm.size, island))
    flat = tensor.detach().reshape(-1).clone()
    parts = flat.split(chunk_sizes(flat.numel(), island))
    mine = reduce_scatter(parts[place].clone(), parts, inside)
    ring_all_reduce(mine, across)
    all_gather(parts, mine, inside)
    tensor.detach().copy_(flat.view(tensor.shape))
    return tensor


def two_level_steps(p: int, island: int) -> int:
    """Messages one after the other."""
    return 2 * (island - 1) + 2 * (p // island - 1)


def two_level_sent(p: int, n: int, rank: int, island: int) -> int:
    """Elements of n that a rank sends: as in a ring of its island, and as in a ring of its part across."""
    _whole_islands(p, island)
    place = rank % island
    part = chunk_sizes(n, island)[place]
    return ring_all_reduce_sent(island, n, place) + ring_all_reduce_sent(p // island, part, rank // island)


def two_level_cost(p: int, n: float, fabric: Islands) -> float:
    """Seconds for n bytes."""
    _whole_islands(p, fabric.island)
    inside = ring_all_reduce_cost(fabric.island, n, fabric.alpha_s, fabric.beta_s)
    across = ring_all_reduce_cost(p // fabric.island, n / fabric.island, fabric.outer_alpha_s, fabric.outer_beta_s)
    return inside + across


def _whole_islands(p: int, island: int) -> None:
    if p % island:
        raise ValueError(f"{p} ranks are not whole islands of {island}: give a divisor.")
