"""The arrays of a layered graph, how they grow, and what must hold of them.

Idea      Every vector is a node of layer 0, and of each layer above it with one M-th of the chance: few nodes at the top, with long links,
          and all at the bottom, with short ones, like the lists of a skip list. Rows of a fixed width make a node's links one read.
Equation  level = ⌊-ln(u) / ln(M)⌋, u uniform in (0, 1];   P(level ≥ l) = M^-l;   at most M links a layer, and 2 M in layer 0
Paper     Y. Malkov, D. Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small world
          graphs", IEEE TPAMI 42, 2020, section 4.1 (M, M_max, M_max0 = 2 M, m_L = 1 / ln M).
Cost      `hnsw_cost`: 8 M + 4 M / (M - 1) + 12 bytes a node, beside its vector.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from mlsys_core.retrieval.index import Array, Stored

SEED = 12345


def hnsw_cost(n: int, d: int, M: int) -> dict[str, float]:
    """Expected bytes of an index of n vectors: vectors, links of layer 0, links above, levels and where they begin."""
    return {"bytes": n * (4 * d + 8 * M + 4 * M / (M - 1) + 12)}


def _no_rows() -> Array:
    return np.empty((0, 0), np.int32)


@dataclass
class HNSW:
    """Links and settings.

    M               links a node makes in a layer above 0; in layer 0 twice as many
    efConstruction  how many near nodes are looked for where a node is inserted
    efSearch        the same for a query; at least k are
    levels          (n,) int32: the highest layer of each node
    ground          (n, 2 M) int32: links of layer 0, -1 where there is none, after those that are
    above           (n,) int64: the row of `upper` that has a node's links of layer 1; those of layer l are l - 1 rows further
    upper           (rows, M) int32
    entry           the node at which every search begins, one of the highest level; -1 in an empty graph
    """

    M: int
    efConstruction: int = 40
    efSearch: int = 16
    entry: int = -1
    levels: Array = field(default_factory=lambda: np.empty(0, np.int32))
    above: Array = field(default_factory=lambda: np.empty(0, np.int64))
    ground: Array = field(default_factory=_no_rows)
    upper: Array = field(default_factory=_no_rows)

    def __post_init__(self) -> None:
        if self.M < 2:
            raise ValueError(f"M is {self.M}: a node needs at least 2 links for a graph that leads anywhere.")
        if not len(self.levels):
            self.ground, self.upper = (np.empty((0, width), np.int32) for width in (2 * self.M, self.M))

    def grow(self, count: int) -> None:
        """Room for `count` more nodes without links. Their levels depend on their numbers alone, not on how many come at a time."""
        start = len(self.levels)
        draws = np.random.Generator(np.random.PCG64(SEED).advance(start)).random(count)
        levels = (-np.log(1 - draws) / np.log(self.M)).astype(np.int32)
        self.above = np.concatenate((self.above, len(self.upper) + np.cumsum(levels) - levels)).astype(np.int64)
        self.levels = np.concatenate((self.levels, levels))
        self.ground, self.upper = (
            np.concatenate((old, np.full((more, old.shape[1]), -1, np.int32)))
            for old, more in ((self.ground, count), (self.upper, int(levels.sum())))
        )

    def room(self, level: int) -> int:
        """How many links a node may have in a layer."""
        return self.M if level else 2 * self.M

    def row(self, node: int, level: int) -> Array:
        """The links of a node in a layer, with -1 behind them; writing to it changes the graph."""
        row: Array = self.upper[self.above[node] + level - 1] if level else self.ground[node]
        return row

    def links(self, node: int, level: int) -> Array:
        """The nodes that a node leads to in a layer."""
        row = self.row(node, level)
        return row[row >= 0]

    def arrays(self) -> dict[str, Array]:
        """All arrays by name."""
        return {"levels": self.levels, "above": self.above, "ground": self.ground, "upper": self.upper}

    @classmethod
    def restored(cls, stored: Stored) -> Self:
        """A graph from a file. Raises ValueError where following its links could lead out of it."""
        M = stored.number("M")
        graph = cls(
            M,
            stored.number("efConstruction"),
            stored.number("efSearch"),
            stored.number("entry"),
            stored.take("levels", np.int32, -1),
            stored.take("above", np.int64, -1),
            stored.take("ground", np.int32, -1, 2 * M),
            stored.take("upper", np.int32, -1, M),
        )
        graph.check()
        return graph

    def check(self) -> None:
        """Raises ValueError where a link leads nowhere or to a node that is not in its layer, or the entry is not at the top."""
        n, levels = len(self.levels), self.levels.astype(np.int64)
        starts = np.cumsum(levels) - levels
        if (
            (levels < 0).any()
            or not np.array_equal(self.above, starts)
            or len(self.ground) != n
            or len(self.upper) != levels.sum()
        ):
            raise ValueError("its rows of links do not fit its levels")
        layer = np.arange(len(self.upper)) - np.repeat(starts, levels) + 1
        for rows, layers in ((self.ground, np.zeros(n, np.int64)), (self.upper, layer)):
            if rows.size and not (
                rows.min() >= -1 and rows.max() < n and (levels[rows] >= layers[:, None])[rows >= 0].all()
            ):
                raise ValueError("its links lead to nodes that are not in their layer")
        if not (0 <= self.entry < n and levels[self.entry] == levels.max() if n else self.entry == -1):
            raise ValueError(f"its entry point {self.entry} is not at the top")
