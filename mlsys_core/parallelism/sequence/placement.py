"""Which rank holds which positions of a sequence.

Idea      With a causal mask later positions have more to read, so ranks that hold the sequence in order have unequal work: the last
          one reads everything, and the others wait for it. Zigzag cuts the sequence into 2p chunks and gives rank r the
          chunks r and 2p-1-r, an early one with a late one: everyone has the same to do.
Equation  blocks of c = T/p positions that rank r of p computes: r + 1 in order, (2p + 1)/4 by zigzag, of p in all at most
Paper     H. Liu et al., "Ring attention with blockwise transformers for near-infinite context", arXiv 2310.01889 (in order);
          W. Brandon et al., "Striped attention", arXiv 2311.09431 (the imbalance, and that another placement mends it).
Cost      None: tokens are handed out once, with their positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mlsys_core.parallelism.collectives import chunk_sizes


class Pair(NamedTuple):
    """A chunk of queries and a chunk of keys, as slices of two ranks' positions; `diagonal` where the mask cuts through."""

    queries: slice
    keys: slice
    diagonal: bool

    @property
    def area(self) -> int:
        """Scores that are computed."""
        return int((self.queries.stop - self.queries.start) * (self.keys.stop - self.keys.start))


@dataclass(frozen=True)
class Placement:
    """`chunks[r]` are the stretches of positions that rank r holds, in the order in which it holds them."""

    chunks: tuple[tuple[range, ...], ...]

    @property
    def ranks(self) -> int:
        """How many ranks share the sequence."""
        return len(self.chunks)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many positions each rank holds."""
        return tuple(sum(map(len, own)) for own in self.chunks)

    @property
    def length(self) -> int:
        """Positions of the whole sequence."""
        return sum(self.sizes)

    def positions(self, rank: int) -> Tensor:
        """Positions that a rank holds, (T_r,) int64."""
        return torch.cat([torch.arange(chunk.start, chunk.stop) for chunk in self.chunks[rank]])

    def take(self, x: Tensor, rank: int, axis: int = 1) -> Tensor:
        """A rank's part of a whole tensor along the axis of time."""
        return x.index_select(axis, self.positions(rank))

    def restore(self, parts: Sequence[Tensor], axis: int = 1) -> Tensor:
        """The whole tensor from every rank's part."""
        held = torch.cat([self.positions(rank) for rank in range(self.ranks)])
        return torch.cat(list(parts), axis).index_select(axis, held.argsort())

    def pairs(self, rank: int, source: int, *, causal: bool) -> list[Pair]:
        """What rank `rank` has to compute with the keys of rank `source`: chunks that come later are skipped."""
        mine, theirs = self.chunks[rank], self.chunks[source]
        return [
            Pair(here, there, diagonal=causal and keys == queries)
            for here, queries in zip(_slices(mine), mine, strict=True)
            for there, keys in zip(_slices(theirs), theirs, strict=True)
            if not causal or keys.start <= queries.start
        ]


def contiguous(length: int, ranks: int) -> Placement:
    """In order: rank r holds the r-th stretch. Raises ValueError for fewer positions than ranks."""
    return Placement(tuple((chunk,) for chunk in _cut(length, ranks)))


def zigzag(length: int, ranks: int) -> Placement:
    """Rank r holds stretches r and 2p-1-r of 2p. Raises ValueError for fewer positions than stretches."""
    chunks = _cut(length, 2 * ranks)
    return Placement(tuple((chunks[rank], chunks[-1 - rank]) for rank in range(ranks)))


def _cut(length: int, parts: int) -> list[range]:
    if length < parts:
        raise ValueError(
            f"{length} positions cannot be cut into {parts} stretches: use fewer ranks or a longer sequence."
        )
    ends = torch.tensor(chunk_sizes(length, parts)).cumsum(0).tolist()
    return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _slices(chunks: Sequence[range]) -> list[slice]:
    ends = torch.tensor([len(chunk) for chunk in chunks]).cumsum(0).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
