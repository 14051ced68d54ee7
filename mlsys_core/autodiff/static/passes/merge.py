"""Common subexpression elimination: what is computed twice is computed once.

Idea      Two nodes are the same when operation, numbers and operands are; operands are compared by the node that stands
          for them already, so one sweep finds equal trees of any depth (value numbering by hashing).
Equation  key(v) = (f, key of each operand);   equal keys ⇒ one node       (a + b and b + a have one key)
Paper     J. Cocke, "Global common subexpression elimination", 1970; B. Alpern, M. Wegman, F. Zadeck, "Detecting equality
          of variables in programs", POPL 1988.
Cost      One hash a node; constants are compared by their bytes.

Random nodes are never merged: two draws are two numbers.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from mlsys_core.autodiff.static.ir import Graph, Node, Ref, rebuild

# numpy's results are the same bits in either order
COMMUTATIVE = frozenset({"add", "multiply"})


def _key(tree: Any, of: dict[int, int]) -> Hashable:
    """A hashable form; numbers of different types differ (1, 1.0 and True), as do 0.0 and -0.0."""
    if isinstance(tree, Ref):
        return of.get(tree.index, tree.index)
    if isinstance(tree, tuple | list):
        return (type(tree), *(_key(item, of) for item in tree))
    if isinstance(tree, slice):
        return ("slice", _key((tree.start, tree.stop, tree.step), of))
    return type(tree), repr(tree)


def _node_key(node: Node, of: dict[int, int]) -> Hashable:
    # the layout belongs to a value, since sums over it may round otherwise
    kept = (node.shape, node.dtype, node.order)
    if node.value is not None:
        return ("constant", *kept, node.value.tobytes())
    args = [_key(x, of) for x in node.args]
    if node.op.name in COMMUTATIVE:
        args.sort(key=repr)
    return (node.op, *kept, tuple(args), _key(node.options, of))


def merge_common(graph: Graph) -> Graph:
    """The graph with one node for equal expressions."""
    target: dict[int, int] = {}
    known: dict[Hashable, int] = {}
    keep: list[int] = []
    for i, node in enumerate(graph.nodes):
        first = i if node.op.kind in {"input", "random"} else known.setdefault(_node_key(node, target), i)
        if first == i:
            keep.append(i)
        else:
            target[i] = first
    return rebuild(graph, keep, target)
