"""Constant folding: what does not depend on the inputs is computed once, before any run.

Idea      A node all of whose operands are constants is one. Weights that will not change any more can be made constants
          first (`freeze`), and all that is done to them alone is then done ahead of time.
Equation  f(c₁, …, cₙ) → c
Paper     G. Kildall, "A unified approach to global program optimization", POPL 1973.
Cost      One evaluation of each folded node, and the memory of its result for good.

Random nodes are never folded: a draw is another number at each run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as changed
from typing import Any

import numpy as np

from mlsys_core.autodiff.static.ir import CONSTANT, Graph, Node, order_of, replace
from mlsys_core.autodiff.static.passes.eliminate import eliminate_dead
from mlsys_core.autodiff.tape import Array


def _constant(value: Any) -> Node:
    # a copy, so that no constant keeps the memory of another alive
    array = np.array(value, order="K")
    return Node(CONSTANT, (), (), array.shape, array.dtype, order_of(array), array)


def _folded(node: Node, nodes: list[Node]) -> Node:
    if node.op.kind in {"input", "constant", "random"} or any(nodes[i].value is None for i in node.inputs):
        return node
    args, options = replace((node.args, node.options), lambda i: nodes[i].value)
    with np.errstate(all="ignore"):
        return _constant(node.op.run(*args, **dict(options)))


def fold_constants(graph: Graph) -> Graph:
    """The graph with constants for what can be known now, without the operands that only they read."""
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.append(_folded(node, nodes))
    # a guard that is met whatever the inputs guards nothing
    guards = tuple((i, truth) for i, truth in graph.guards if nodes[i].value is None or bool(nodes[i].value) != truth)
    return eliminate_dead(changed(graph, nodes=tuple(nodes), guards=guards))


def freeze(graph: Graph, values: Mapping[int, Array]) -> Graph:
    """The graph with constants in place of some inputs, named by their number; the other inputs keep their order."""
    nodes = list(graph.nodes)
    for number, value in values.items():
        node = nodes[graph.inputs[number]]
        if value.shape != node.shape or value.dtype != node.dtype:
            raise ValueError(f"Input {number} is {node.dtype} {node.shape}, and {value.dtype} {value.shape} is given.")
        nodes[graph.inputs[number]] = _constant(value)
    inputs = tuple(place for number, place in enumerate(graph.inputs) if number not in values)
    return changed(graph, nodes=tuple(nodes), inputs=inputs)
