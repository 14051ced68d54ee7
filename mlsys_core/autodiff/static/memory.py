"""Memory planning: every intermediate result gets its place in one block of memory before anything runs.

Idea      A result needs memory from the node that makes it to the last node that reads it, or a view of it. Two results
          that are never needed at once may lie at the same place. Large ones are placed first, each into the smallest
          gap that it fits between those it overlaps in time; an elementwise node may write over an operand that dies.
Equation  max_t Σ_{i alive at t} bytes_i  ≤  size of the arena  ≤  Σ bytes_i
Paper     Y. Pisarchyk, J. Lee, "Efficient memory management for deep neural net inference", arXiv:2001.03288, 2020
          (greedy by size for offsets); T. Chen, B. Xu, C. Zhang, C. Guestrin, arXiv:1604.06174, 2016, section 3.
Cost      O(n²) for n results. The optimum is NP-hard (it is dynamic storage allocation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlsys_core.autodiff.static.ir import Graph
from mlsys_core.autodiff.static.operations import SET_ITEM

ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory for the results of `nodes`, the first node to the last use, both included."""

    nodes: tuple[int, ...]
    nbytes: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Where in the arena the results of nodes lie, and how long it is, in bytes."""

    buffers: tuple[Buffer, ...]
    offsets: tuple[int, ...]
    nbytes: int

    @property
    def places(self) -> dict[int, int]:
        """Offset in the arena of the result of each planned node."""
        return {i: offset for buffer, offset in zip(self.buffers, self.offsets, strict=True) for i in buffer.nodes}


def owners(graph: Graph) -> list[int]:
    """For each node the node whose memory its result lies in: itself, or behind views the array that they view."""
    owner = list(range(len(graph.nodes)))
    for i, node in enumerate(graph.nodes):
        if node.op.kind == "view":
            owner[i] = owner[node.inputs[0]]
    return owner


def last_uses(graph: Graph) -> list[int]:
    """For each node the last node that reads it or a view of it; the end of the program for what is wanted there."""
    owner = owners(graph)
    last = list(range(len(graph.nodes)))
    for i, node in enumerate(graph.nodes):
        for j in node.inputs:
            last[owner[j]] = i
    for i in graph.roots:
        last[owner[i]] = len(graph.nodes)
    return last


def _dying_operand(graph: Graph, i: int, owner: list[int], last: list[int]) -> int | None:
    """An operand that node i may write over: read for the last time, of the same layout, and by no other name."""
    node = graph.nodes[i]
    if node.op.kind not in {"elementwise", "fused"} and node.op is not SET_ITEM:
        return None
    read = [owner[j] for j in node.inputs]
    for j in node.inputs[:1] if node.op is SET_ITEM else node.inputs:
        other = graph.nodes[j]
        same = (other.shape, other.order, other.dtype.itemsize) == (node.shape, node.order, node.dtype.itemsize)
        if same and owner[j] == j and last[j] == i and read.count(j) == node.inputs.count(j):
            return j
    return None


def buffers_of(graph: Graph, *, in_place: bool = True) -> list[Buffer]:
    """The buffers that a run needs; inputs, constants and outputs lie elsewhere."""
    owner, last = owners(graph), last_uses(graph)
    outside = {owner[i] for i in graph.outputs}
    found: dict[int, Buffer] = {}
    for i, node in enumerate(graph.nodes):
        if node.op.kind in {"input", "constant", "view"} or i in outside or not node.nbytes:
            continue
        j = _dying_operand(graph, i, owner, last) if in_place else None
        before = found.pop(j, None) if j is not None else None
        made = before or Buffer((), node.nbytes, i, i)
        found[i] = Buffer((*made.nodes, i), node.nbytes, made.start, last[i])
    return list(found.values())


def aligned(nbytes: int) -> int:
    """The next multiple of the alignment that vector loads like."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """Bytes that are needed at once at some node, which no plan can do without."""
    return max((sum(aligned(b.nbytes) for b in buffers if b.start <= t.start <= b.end) for t in buffers), default=0)


def _best_gap(nbytes: int, taken: list[tuple[int, int]]) -> int:
    """The offset of the smallest gap between taken ranges that holds nbytes, or the end of the last one."""
    best, best_gap, at = None, None, 0
    for start, end in sorted(taken):
        gap = start - at
        if gap >= nbytes and (best_gap is None or gap < best_gap):
            best, best_gap = at, gap
        at = max(at, end)
    return at if best is None else best


def assign(buffers: Sequence[Buffer]) -> Plan:
    """Offsets for buffers, greedily by size, so that buffers that overlap in time do not overlap in memory."""
    offsets: dict[int, int] = {}
    for i in sorted(range(len(buffers)), key=lambda i: (-buffers[i].nbytes, buffers[i].start)):
        mine = buffers[i]
        taken = [
            (offset, offset + aligned(buffers[j].nbytes))
            for j, offset in offsets.items()
            if buffers[j].start <= mine.end and mine.start <= buffers[j].end
        ]
        offsets[i] = _best_gap(aligned(mine.nbytes), taken)
    size = max((offsets[i] + aligned(b.nbytes) for i, b in enumerate(buffers)), default=0)
    return Plan(tuple(buffers), tuple(offsets[i] for i in range(len(buffers))), size)


def plan(graph: Graph, *, in_place: bool = True) -> Plan:
    """The plan of a graph's intermediate results."""
    return assign(buffers_of(graph, in_place=in_place))
