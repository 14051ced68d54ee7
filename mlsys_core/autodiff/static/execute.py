"""Runs a static graph: node by node, with results in new arrays or at planned places of one arena.

Idea      The order of the nodes is an order to run them in. Without a plan each result is a new array and is let go after
          its last use; with one it is written to its place in the arena, and a run allocates its outputs only.
Equation  outputs = run(inputs), the same bits with a plan and without
Paper     M. Abadi et al., "TensorFlow: a system for large-scale machine learning", OSDI 2016, section 3.
Cost      That of the nodes, and about a microsecond a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from mlsys_core.autodiff.static.ir import Graph, Node, binder, refs, replace
from mlsys_core.autodiff.static.memory import Plan, last_uses, owners
from mlsys_core.autodiff.tape import Array
from mlsys_core.autodiff.tensor import Tensor

Values: TypeAlias = list[Any]


class GuardError(RuntimeError):
    """The inputs lead to another branch of the program than the one that was traced."""


def _step(node: Node, out: Array | None) -> Callable[[Values], Any]:
    """What computes a node, into `out` if that is given."""
    arguments, run = binder(node.args), node.op.run
    if not any(refs(node.options)) and (out is None or node.op.takes_out):
        fixed = dict(node.options) if out is None else {**dict(node.options), "out": out}
        return lambda values: run(*arguments(values), **fixed)

    def general(values: Values) -> Any:
        result = run(*arguments(values), **dict(replace(node.options, values.__getitem__)))
        if out is None:
            return result
        np.copyto(out, result)
        return out

    return general


class Executor:
    """Runs a graph any number of times; not from several threads at once when it has a plan."""

    def __init__(self, graph: Graph, plan: Plan | None = None) -> None:
        self.graph = graph
        self.plan = plan
        arena = np.empty((plan.nbytes if plan else 0) + 64, np.uint8)
        # numpy aligns to 16 bytes, vector units like 64
        self.arena: Array = arena[-arena.ctypes.data % 64 :]
        places = plan.places if plan else {}
        self._constants: Values = [node.value for node in graph.nodes]
        self._steps = [
            (i, _step(node, node.empty(self.arena[places[i] :]) if i in places else None))
            for i, node in enumerate(graph.nodes)
            if node.op.kind not in {"input", "constant"}
        ]
        self._done = _last_reads(graph)

    def __call__(self, *inputs: Any) -> tuple[Array, ...]:
        """The outputs for inputs (tensors or arrays) of the traced shapes and types.

        Raises ValueError for others, and GuardError when the program would have branched differently.
        """
        values = list(self._constants)
        self._take(values, inputs)
        with np.errstate(all="ignore"):
            for i, step in self._steps:
                values[i] = step(values)
                for j in self._done[i]:
                    values[j] = None
        for i, truth in self.graph.guards:
            if bool(values[i]) != truth:
                raise GuardError(
                    "The program branched on a number while it was traced, and these inputs take the other branch: "
                    "trace it again with them."
                )
        return self._outputs(values)

    def _take(self, values: Values, inputs: tuple[Any, ...]) -> None:
        if len(inputs) != len(self.graph.inputs):
            raise ValueError(f"The graph has {len(self.graph.inputs)} inputs, and {len(inputs)} are given.")
        for i, given in zip(self.graph.inputs, inputs, strict=True):
            x = np.asarray(given.data if isinstance(given, Tensor) else given)
            node = self.graph.nodes[i]
            if x.shape != node.shape or x.dtype != node.dtype:
                raise ValueError(
                    f"An input is {x.dtype} {x.shape} and was {node.dtype} {node.shape} while tracing: trace it again."
                )
            values[i] = x

    def _outputs(self, values: Values) -> tuple[Array, ...]:
        """Arrays that share memory with no input, constant, arena or one another."""
        owner, seen, found = owners(self.graph), set(), []
        for i in self.graph.outputs:
            own = owner[i] not in seen and self.graph.nodes[owner[i]].op.kind not in {"input", "constant"}
            seen.add(owner[i])
            found.append(np.asarray(values[i]) if own else np.array(values[i]))
        return tuple(found)


def _last_reads(graph: Graph) -> list[list[int]]:
    """For each node the values that nobody reads after it."""
    owner, last = owners(graph), last_uses(graph)
    wanted = set(graph.roots)
    done: list[list[int]] = [[] for _ in graph.nodes]
    for i, node in enumerate(graph.nodes):
        if node.op.kind != "constant" and i not in wanted and last[owner[i]] < len(graph.nodes):
            done[last[owner[i]]].append(i)
    return done
