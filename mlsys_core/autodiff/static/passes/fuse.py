"""Elementwise fusion: chains of elementwise operations become one pass over memory.

Idea      A value that only one group of elementwise nodes reads need never be written to memory. Going backwards, a node
          joins the group that all its readers belong to. Only the last node of a group is read from outside, so no way
          leads out of a group and back, and the groups can be run in order.
Equation  n joins g  ⇔  every reader of n is in g, and n has the shape of g
Paper     M. Wolfe, "High performance compilers for parallel computing", 1996, chapter 9 (loop fusion); T. Chen et al.,
          "TVM", OSDI 2018, section 3 (rules of operator fusion).
Cost      One pass over the nodes. A chain of k operations reads and writes memory once and not k times.
"""

from __future__ import annotations

from typing import Any

from mlsys_core.autodiff.static.ir import Graph, Node, Operation, Ref, refs, replace
from mlsys_core.autodiff.static.kernel import Kernel, Step


def _groups(graph: Graph) -> dict[int, list[int]]:
    """Members of each group with more than one, in order, by its last node."""
    users, roots = graph.users(), set(graph.roots)
    group: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    for i in reversed(range(len(graph.nodes))):
        node = graph.nodes[i]
        if node.op.kind != "elementwise" or not node.shape or any(refs(node.options)):
            continue
        # a reader that is in no group, such as a product of matrices, is None here
        readers = {group.get(j) for j in users[i]} if i not in roots else set()
        only = readers.pop() if len(readers) == 1 else None
        group[i] = only if only is not None and graph.nodes[only].shape == node.shape else i
        members.setdefault(group[i], []).insert(0, i)
    return {last: found for last, found in members.items() if len(found) > 1}


def _fused(graph: Graph, members: list[int]) -> Node:
    """One node in place of several; its arguments are what they read from outside, each once."""
    inside = set(members)
    leaves = [j for j in dict.fromkeys(j for i in members for j in graph.nodes[i].inputs) if j not in inside]
    place = {j: n for n, j in enumerate([*leaves, *members])}
    steps = []
    for i in members:
        node = graph.nodes[i]
        steps.append(Step(node.op, replace(node.args, lambda j: Ref(place[j])), node.options, node.dtype))
    last = graph.nodes[members[-1]]
    kernel = Kernel(tuple(graph.nodes[j].dtype for j in leaves), tuple(steps), last.shape, last.dtype, last.order)
    op = Operation("+".join(step.op.name for step in steps), "fused", kernel, takes_out=True)
    return Node(op, tuple(Ref(j) for j in leaves), (), last.shape, last.dtype, last.order)


def fuse_elementwise(graph: Graph) -> Graph:
    """The graph with one node for each group of elementwise nodes."""
    groups = _groups(graph)
    gone = {i for last, members in groups.items() for i in members if i != last}
    place: dict[int, int] = {}
    nodes: list[Node] = []
    for i, node in enumerate(graph.nodes):
        if i in gone:
            continue
        place[i] = len(nodes)
        new = _fused(graph, groups[i]) if i in groups else node
        args, options = replace((new.args, new.options), lambda j: Ref(place[j]))
        nodes.append(Node(new.op, args, options, new.shape, new.dtype, new.order, new.value))

    def moved(places: tuple[int, ...]) -> tuple[Any, ...]:
        return tuple(place[i] for i in places)

    guards = tuple((place[i], truth) for i, truth in graph.guards)
    return Graph(tuple(nodes), moved(graph.inputs), moved(graph.outputs), guards)
