"""A mesh: one number a rank becomes a coordinate a dimension, and each way to split work gets the groups it talks in.

Idea      Ranks fill a box whose sides are the degrees of parallelism. Ranks that differ in one coordinate only are a group: the
          replicas that sum gradients (dp), the stages of a pipeline (pp), the parts of a sequence (cp), the shards of a layer (tp).
Equation  rank = ((c_dp · n_pp + c_pp) · n_cp + c_cp) · n_tp + c_tp: the last dimension varies fastest, so it lies inside a node.
Paper     D. Narayanan et al., "Efficient large-scale language model training on GPU clusters using Megatron-LM", SC 2021,
          section 3 (what goes inside a node); names and order as in PyTorch's init_device_mesh.
Cost      None: arithmetic on the rank. A group over a dimension of size n has n members, and there are p / n of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

from mlsys_core.parallelism.communication import Communicator


@dataclass(frozen=True)
class Mesh:
    """Ranks 0 … prod(shape) - 1 with a coordinate for each name; the last name varies fastest."""

    shape: tuple[int, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.shape) != len(self.names) or len(set(self.names)) != len(self.names):
            raise ValueError(f"{len(self.shape)} sizes need as many different names, and {self.names} came.")
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"A mesh of shape {self.shape} has no ranks: every size is 1 or more.")

    @property
    def size(self) -> int:
        """Number of ranks."""
        return prod(self.shape)

    def degree(self, name: str) -> int:
        """Size of a dimension."""
        return self.shape[self._axis(name)]

    def coordinates(self, rank: int) -> dict[str, int]:
        """Where a rank is, by name."""
        if not 0 <= rank < self.size:
            raise ValueError(f"Rank {rank} is not in a mesh of {self.size} ranks.")
        found = {}
        for name, length in zip(reversed(self.names), reversed(self.shape), strict=True):
            rank, found[name] = divmod(rank, length)
        return {name: found[name] for name in self.names}

    def rank(self, **coordinates: int) -> int:
        """Who is at the coordinates, one for each name."""
        if set(coordinates) != set(self.names):
            raise ValueError(f"A rank has the coordinates {self.names}, and {tuple(coordinates)} came.")
        number = 0
        for name, length in zip(self.names, self.shape, strict=True):
            if not 0 <= coordinates[name] < length:
                raise ValueError(f"{name} = {coordinates[name]} is outside a dimension of {length}.")
            number = number * length + coordinates[name]
        return number

    def group(self, rank: int, *names: str) -> tuple[int, ...]:
        """The ranks that differ from `rank` in the named dimensions only, in ascending order; `rank` is among them."""
        axes = {self._axis(name) for name in names}
        here = tuple(self.coordinates(rank).values())
        spans = [range(length) if axis in axes else (here[axis],) for axis, length in enumerate(self.shape)]
        return tuple(self.rank(**dict(zip(self.names, place, strict=True))) for place in product(*spans))

    def groups(self, *names: str) -> list[tuple[int, ...]]:
        """All groups over the named dimensions; together they hold each rank once."""
        axes = [self._axis(name) for name in names]
        places = ((rank, tuple(self.coordinates(rank).values())) for rank in range(self.size))
        return [self.group(rank, *names) for rank, place in places if not any(place[axis] for axis in axes)]

    def communicator(self, comm: Communicator, *names: str) -> Communicator:
        """This rank's communicator of its group over the named dimensions, out of that of the whole mesh."""
        if comm.size != self.size:
            raise ValueError(f"A mesh of {self.size} ranks needs a communicator of as many, not of {comm.size}.")
        return comm.group(self.group(comm.rank, *names))

    def _axis(self, name: str) -> int:
        if name not in self.names:
            raise ValueError(f"The mesh has the dimensions {self.names} and none called {name!r}.")
        return self.names.index(name)
