"""Task 4: builds static graphs from plain data, runs passes on them, and returns plain data. A part of driver.py.

A graph is {"nodes": [[op, inputs, setting], …], "outputs": [number, …]}; a setting is None, a number, a shape, an array, or the body of a
kernel as a list of [op, operands].
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

PASSES = ("eliminate_dead_code", "eliminate_common_subexpressions", "fold_constants", "fuse_elementwise")
PlainGraph = dict[str, Any]


def rewritten(program: ModuleType, *, graphs: list[PlainGraph], passes: list[str]) -> list[dict[str, Any]]:
    """Each graph after these passes in turn, and whether they left the graphs alone that they were given."""
    answers = []
    for plain in graphs:
        graph, kept = _built(program, plain), True
        for name in passes:
            before = _plain(program, graph)
            after = getattr(program, name)(graph)
            kept = kept and _same(before, _plain(program, graph))
            graph = after
        answers.append(_plain(program, graph) | {"kept": kept})
    return answers


def _built(program: ModuleType, plain: PlainGraph) -> Any:
    nodes = (program.Node(op, tuple(inputs), _setting(op, setting)) for op, inputs, setting in plain["nodes"])
    return program.Graph(tuple(nodes), tuple(plain["outputs"]))


def _setting(op: str, setting: Any) -> Any:
    """Tuples where the program has them, and a constant's array of its own."""
    if op == "fused":
        return tuple((step, tuple(operands)) for step, operands in setting)
    if isinstance(setting, list):
        return tuple(setting)
    return setting.copy() if isinstance(setting, np.ndarray) else setting


def _plain(program: ModuleType, graph: Any) -> PlainGraph:
    nodes = getattr(graph, "nodes", None)
    if not isinstance(graph, program.Graph) or not all(isinstance(node, program.Node) for node in nodes):
        raise TypeError("a pass should return a Graph of Nodes")
    plain = [[str(node.op), _numbers(node.inputs), _plain_setting(node.setting)] for node in nodes]
    return {"nodes": plain, "outputs": _numbers(graph.outputs)}


def _plain_setting(setting: Any) -> Any:
    if isinstance(setting, np.ndarray | np.generic):
        return np.array(setting)
    if isinstance(setting, tuple | list) and any(isinstance(part, tuple | list) for part in setting):
        return [[str(op), _numbers(operands)] for op, operands in setting]
    return _numbers(setting) if isinstance(setting, tuple | list) else setting


def _numbers(values: Sequence[Any]) -> list[int]:
    return [int(value) for value in values]


def _same(a: PlainGraph, b: PlainGraph) -> bool:
    """Equal to the bit."""
    return (
        a["outputs"] == b["outputs"] and len(a["nodes"]) == len(b["nodes"]) and all(map(_equal, a["nodes"], b["nodes"]))
    )


def _equal(one: list[Any], other: list[Any]) -> bool:
    if isinstance(one[2], np.ndarray) and isinstance(other[2], np.ndarray):
        return one[:2] == other[:2] and one[2].shape == other[2].shape and one[2].tobytes() == other[2].tobytes()
    return type(one[2]) is type(other[2]) and one == other
