"""A static graph as text and as a drawing.

Idea      One line a node reads like a program; the dot language of Graphviz draws the same as boxes and arrows.
Equation  %i = operation(%j, …) : type[shape]
Paper     E. Gansner, S. North, "An open graph visualization system and its applications to software engineering",
          Software: Practice and Experience 30(11), 2000.
Cost      One line a node, one a edge.
"""

from __future__ import annotations

from typing import Any

from mlsys_core.autodiff.static.ir import Graph, Node, Ref

COLOURS = {"input": "lightblue", "constant": "lightgrey", "fused": "palegreen", "random": "lightsalmon"}


def _term(x: Any) -> str:
    if isinstance(x, Ref):
        return f"%{x.index}"
    if isinstance(x, tuple | list):
        inner = ", ".join(_term(item) for item in x)
        return f"({inner},)" if len(x) == 1 else f"({inner})"
    if isinstance(x, slice):
        return ":".join(
            "" if part is None else _term(part) for part in (x.start, x.stop, x.step)[: 2 + (x.step is not None)]
        )
    return "..." if x is Ellipsis else str(x)


def type_of(node: Node) -> str:
    """The type and the shape of a node's result: float32[3, 4]."""
    return f"{node.dtype}[{', '.join(map(str, node.shape))}]"


def _call(node: Node) -> str:
    if node.op.kind in {"input", "constant"}:
        shown = node.value is not None and node.value.size == 1
        return f"{node.op.name} {node.value.item()}" if shown and node.value is not None else node.op.name
    named = [f"{name}={_term(x)}" for name, x in node.options]
    return f"{node.op.name}({', '.join([*map(_term, node.args), *named])})"


def text(graph: Graph) -> str:
    """A line for each node, then one for the outputs and one for each guard."""
    lines = [f"%{i} = {_call(node)} : {type_of(node)}" for i, node in enumerate(graph.nodes)]
    lines.append("return " + ", ".join(f"%{i}" for i in graph.outputs))
    return "\n".join([*lines, *(f"guard %{i} is {truth}" for i, truth in graph.guards)])


def dot(graph: Graph) -> str:
    """The graph in the language of Graphviz; outputs have a double border."""
    lines = ["digraph {", "  node [shape=box, style=filled, fillcolor=white];"]
    for i, node in enumerate(graph.nodes):
        border = ", peripheries=2" if i in graph.outputs else ""
        colour = f", fillcolor={COLOURS[node.op.kind]}" if node.op.kind in COLOURS else ""
        lines.append(f'  n{i} [label="{node.op.name}\\n{type_of(node)}"{colour}{border}];')
        lines += [f"  n{j} -> n{i};" for j in node.inputs]
    return "\n".join([*lines, "}"])
