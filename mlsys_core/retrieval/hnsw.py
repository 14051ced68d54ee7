"""Hierarchical navigable small worlds: a graph whose links lead to the nearest, from a few far ones down to many close ones.

Idea      From any node, step to whichever neighbour is nearer to the query, and stop when none is. In layers with few nodes the steps are
          long, and each layer begins where the one above ended. In the lowest layer not one but `ef` candidates are followed, which is
          what finds the true nearest. A new node is linked where a search for it ends. It does not take the nearest nodes: one that is
          nearer to a link chosen before than to the new node is left out, since it is reached through that link. So links point in all
          directions, also out of a cluster.
Equation  e is chosen ⟺ |e - q| ≤ |e - s| for all s chosen before it, in ascending order of |e - q|
Paper     Y. Malkov, D. Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small world
          graphs", IEEE TPAMI 42, 2020, algorithms 1 (insert), 2 (search of a layer), 4 (selection), 5 (query).
Cost      `hnsw_cost` for memory; distances are counted. About efSearch · M of them a query, and a logarithm of n in the layers above.

As in Faiss and unlike the paper, a new node chooses up to 2 M links in layer 0, and takes all candidates where they are fewer. The loops
stand here in Python, to be read, and for machines without a compiler; `c/hnsw.c` has the same steps. Where clusters lie far apart, or many
vectors are equal, all that a node finds is its own cluster, and the graph may fall apart: M and efConstruction have to be larger there.
"""

from __future__ import annotations

import heapq
from typing import Any, Self

import numpy as np

from mlsys_core.retrieval.graph import HNSW
from mlsys_core.retrieval.index import Array, Index, Stored
from mlsys_core.retrieval.native import Graph, call, library

Near = list[tuple[float, int]]  # (distance, node), the nearest first


class Walker:
    """The algorithms, over vectors (n, d) and a graph of them; `computed` counts distances."""

    def __init__(self, vectors: Array, graph: HNSW) -> None:
        self.vectors, self.graph, self.computed = vectors, graph, 0

    def between(self, query: Array, nodes: Array) -> list[float]:
        """Squared distances of a query to some nodes."""
        self.computed += len(nodes)
        distances: list[float] = self._apart(query, nodes).tolist()
        return distances

    def search_layer(self, query: Array, start: Near, ef: int, level: int) -> Near:
        """The `ef` nearest that links of one layer lead to from `start` (algorithm 2)."""
        seen = {node for _, node in start}
        waiting = list(start)
        heapq.heapify(waiting)
        near = [(-distance, -node) for distance, node in start]  # the farthest on top
        heapq.heapify(near)
        while waiting:
            distance, node = heapq.heappop(waiting)
            if len(near) == ef and (-distance, -node) < near[0]:
                break
            fresh = [int(link) for link in self.graph.links(node, level) if link not in seen]
            seen.update(fresh)
            for found in zip(self.between(query, np.array(fresh, np.int64)), fresh, strict=True):
                entry = (-found[0], -found[1])
                if len(near) < ef or entry > near[0]:
                    heapq.heappush(waiting, found)
                    heapq.heappush(near, entry) if len(near) < ef else heapq.heapreplace(near, entry)
        return sorted((-distance, -node) for distance, node in near)

    def select_neighbors(self, candidates: Near, room: int) -> list[int]:
        """Of candidates, those that are not nearer to one chosen before than to the node itself (algorithm 4).

        Where there is room to spare for all, all are chosen.
        """
        if len(candidates) < room:
            return [node for _, node in candidates]
        chosen: list[int] = []
        for distance, node in candidates:
            if len(chosen) == room:
                break
            nearer = np.flatnonzero(self._apart(self.vectors[node], np.array(chosen, np.int64)) < distance)
            # whoever computes one at a time stops at the first that is nearer, and so does the count
            self.computed += int(nearer[0]) + 1 if len(nearer) else len(chosen)
            if not len(nearer):
                chosen.append(node)
        return chosen

    def descend(self, query: Array, level: int) -> Near:
        """The nearest node of the layers above `level`, one at a time from the entry."""
        entry = self.graph.entry
        near = [(self.between(query, np.array([entry]))[0], entry)]
        for layer in range(self.graph.levels[entry], level, -1):
            near = self.search_layer(query, near, 1, layer)
        return near

    def insert(self, node: int) -> None:
        """Links a node whose row is empty (algorithm 1)."""
        graph, query = self.graph, self.vectors[node]
        if graph.entry < 0:
            graph.entry = node
            return
        level, top = int(graph.levels[node]), int(graph.levels[graph.entry])
        near = self.descend(query, level)
        for layer in range(min(level, top), -1, -1):
            near = self.search_layer(query, near, graph.efConstruction, layer)
            chosen = self.select_neighbors(near, graph.room(layer))
            graph.row(node, layer)[: len(chosen)] = chosen
            for neighbor in chosen:
                self.link_back(neighbor, node, layer)
        if level > top:
            graph.entry = node

    def link_back(self, node: int, to: int, layer: int) -> None:
        """A link from `node` to `to`; where the row is full, the selection of all that it would have."""
        row = self.graph.row(node, layer)
        free = np.flatnonzero(row < 0)
        if len(free):
            row[free[0]] = to
            return
        nodes = [to, *row.tolist()]
        candidates = sorted(zip(self.between(self.vectors[node], np.array(nodes)), nodes, strict=True))
        chosen = self.select_neighbors(candidates, len(row))
        row[:] = -1
        row[: len(chosen)] = chosen

    def _apart(self, query: Array, nodes: Array) -> Array:
        apart = self.vectors[nodes] - query
        distances: Array = np.einsum("nd,nd->n", apart, apart)
        return distances

    def query(self, query: Array, k: int) -> Near:
        """The k nearest that a search finds (algorithm 5)."""
        return self.search_layer(query, self.descend(query, 0), max(self.graph.efSearch, k), 0)[:k]


class IndexHNSWFlat(Index):
    """Whole vectors and a graph of them; `hnsw` has its settings."""

    def __init__(self, d: int, M: int = 32) -> None:
        super().__init__(d)
        self.hnsw = HNSW(M)
        self.vectors = np.empty((0, d), np.float32)

    @property
    def ntotal(self) -> int:
        """How many vectors were added."""
        return len(self.vectors)

    def reconstruct_batch(self, ids: Array) -> Array:
        """The vectors with these numbers."""
        return self.vectors[ids]

    def parameters(self) -> dict[str, Any]:
        """Sizes, settings and the entry point."""
        hnsw = self.hnsw
        settings = {"efConstruction": hnsw.efConstruction, "efSearch": hnsw.efSearch, "entry": hnsw.entry}
        return {"d": self.d, "M": hnsw.M, **settings}

    def arrays(self) -> dict[str, Array]:
        """Vectors and links."""
        return {"vectors": self.vectors, **self.hnsw.arrays()}

    @classmethod
    def restored(cls, stored: Stored) -> Self:
        """The index of this graph."""
        index = cls(stored.number("d"), stored.number("M"))
        index.hnsw = HNSW.restored(stored)
        index.vectors = stored.take("vectors", np.float32, len(index.hnsw.levels), index.d)
        return index

    def _add(self, x: Array) -> None:
        self._must_have(self.hnsw.efConstruction, "efConstruction")
        start = self.ntotal
        self.vectors = np.concatenate((self.vectors, x))
        self.hnsw.grow(len(x))
        native = library()
        if native is None:
            walker = Walker(self.vectors, self.hnsw)
            for node in range(start, self.ntotal):
                walker.insert(node)
            self.ndis = walker.computed
        else:
            graph, _held = self._native(self.hnsw.efConstruction)
            call(native.hnsw_add, graph, start, self.ntotal)
            self.hnsw.entry, self.ndis = graph.entry, graph.computed

    def _search(self, x: Array, k: int) -> tuple[Array, Array]:
        self._must_have(self.hnsw.efSearch, "efSearch")
        distances, ids = np.full((len(x), k), np.inf, np.float32), np.full((len(x), k), -1, np.int64)
        native = library()
        if native is None:
            walker = Walker(self.vectors, self.hnsw)
            for row, query in enumerate(x):
                near = walker.query(query, k)
                distances[row, : len(near)], ids[row, : len(near)] = zip(*near, strict=True)
            self.ndis = walker.computed
        else:
            graph, _held = self._native(max(self.hnsw.efSearch, k))
            call(native.hnsw_search, graph, x, len(x), k, self.ntotal, distances, ids)
            self.ndis = graph.computed
        return distances, ids

    def _native(self, ef: int) -> tuple[Graph, dict[str, Array]]:
        """The arrays for C, with scratch memory, which must live as long as the structure that points to it."""
        width = max(ef, 2 * self.hnsw.M) + 1
        scratch = {name: np.empty(width, np.uint64) for name in ("near", "sorted")}
        held = {
            **self.arrays(),
            **scratch,
            "seen": np.zeros(self.ntotal, np.uint32),
            "open": np.empty(self.ntotal + 1, np.uint64),
            "batch": np.empty(2 * self.hnsw.M, np.int32),
        }
        numbers = {"d": self.d, "m": self.hnsw.M, "ef": int(ef), "entry": self.hnsw.entry}
        return Graph(**{name: array.ctypes.data for name, array in held.items()}, **numbers), held

    @staticmethod
    def _must_have(ef: int, name: str) -> None:
        if ef < 1:
            raise ValueError(f"{name} is {ef}, so nothing would be followed: set it to at least 1.")
