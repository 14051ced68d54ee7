"""Writes a traced program down: computes each step with numpy and appends its node.

Idea      Every value has a place; arrays that are no traced values become constants, once each. Random generators are
          put back to where they were, so that tracing draws nothing.
Equation  note(f, x, …) = (f(x, …), nodes + [f(place of x, …)])
Paper     R. E. Wengert, "A simple automatic derivative evaluation program", CACM 7(8), 1964 (the list itself).
Cost      One node a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mlsys_core.autodiff.static.ir import CONSTANT, INPUT, Graph, Node, Operation, Ref, order_of
from mlsys_core.autodiff.static.operations import whole
from mlsys_core.autodiff.tape import Array, TracedArray
from mlsys_core.autodiff.tensor import Tensor

if TYPE_CHECKING:
    from mlsys_core.autodiff.static.tracer import Traced


class TraceError(RuntimeError):
    """The program does something that a static graph cannot hold."""


class Recorder:
    """The nodes of a trace so far."""

    def __init__(self, make: Callable[..., Traced]) -> None:
        self.nodes: list[Node] = []
        self.guards: list[tuple[int, bool]] = []
        self._make = make
        self._generators: dict[int, tuple[np.random.Generator, Any]] = {}

    def input(self, value: Array) -> Traced:
        """A value that each run is given anew."""
        return self._make(self, self._append(INPUT, (), (), value), value)

    def note(self, op: Operation, args: tuple[Any, ...], options: dict[str, Any]) -> Traced:
        """The result of op, with its node; of a view, the root is the array whose memory it shares."""
        noted, named = self.tree((args, tuple(sorted(options.items()))))
        values = self.evaluate(args), self.evaluate(tuple(options.values()))
        with np.errstate(all="ignore"):
            result = np.asarray(op.run(*values[0], **dict(zip(options, values[1], strict=True))))
        place = self._append(op, noted, named, result)
        return self._make(self, place, result, args[0].memory if op.kind == "view" else None)

    def primitive(self, function: Callable[..., Any], args: tuple[Any, ...], *, random: bool) -> Any:
        """What the engine calls for a function that it has marked; without traced values only random ones are noted."""
        if random:
            for generator in (x for x in args if isinstance(x, np.random.Generator)):
                self._generators.setdefault(id(generator), (generator, generator.bit_generator.state))
        if random or self._traced(args):
            return self.note(whole(function, random=random), args, {})
        return function(*args)

    def constant(self, x: Array) -> Traced:
        """What the engine calls for an array that becomes a tensor while it is traced."""
        return self._make(self, self._constant(x), x)

    def guard(self, place: int, *, truth: bool) -> bool:
        """Notes that the program branched on the truth of this node's value."""
        if (place, truth) not in self.guards:
            self.guards.append((place, truth))
        return truth

    def tree(self, x: Any) -> Any:
        """Arguments with Refs for traced values and for arrays, which become constants."""
        if isinstance(x, TracedArray):
            x.check()
            return Ref(x.place)
        if isinstance(x, np.ndarray):
            return Ref(self._constant(x))
        if isinstance(x, Tensor):
            return self.tree(x.data)
        if isinstance(x, tuple | list):
            return type(x)(self.tree(item) for item in x)
        return x

    def evaluate(self, x: Any) -> Any:
        """Arguments with arrays for traced values."""
        if isinstance(x, TracedArray):
            return x.value
        if isinstance(x, tuple | list):
            return type(x)(self.evaluate(item) for item in x)
        return x

    def place_of(self, x: Any) -> int:
        """The place of an output, which may be a constant."""
        ref = self.tree(x)
        return int(ref.index) if isinstance(ref, Ref) else self._constant(np.asarray(x))

    def graph(self, inputs: list[int], outputs: list[int]) -> Graph:
        """The graph, with the generators put back."""
        for generator, state in self._generators.values():
            generator.bit_generator.state = state
        return Graph(tuple(self.nodes), tuple(inputs), tuple(outputs), tuple(self.guards))

    def _traced(self, x: Any) -> bool:
        if isinstance(x, tuple | list):
            return any(self._traced(item) for item in x)
        return isinstance(x, TracedArray)

    def _constant(self, x: Array) -> int:
        # a copy, for the program may change its array later; equal ones are merged by a pass
        return self._append(CONSTANT, (), (), x, x.copy(order="K"))

    def _append(self, op: Operation, args: Any, options: Any, like: Array, value: Array | None = None) -> int:
        self.nodes.append(Node(op, args, options, like.shape, like.dtype, order_of(like), value))
        return len(self.nodes) - 1
