"""A checkpoint: a function whose intermediate results are forgotten, and computed again when the sweep needs them.

Idea      The tape holds one operation for the whole function, with its inputs only. Its derivative rule runs the function
          again, now recorded, and sweeps over that. Random generators are put back to where they were, so the second run
          drops the same elements.
Equation  y = f(x; θ):   (x̄, θ̄) = ȳ ∂f/∂(x, θ), with f evaluated once more at x
Paper     A. Griewank, "Achieving logarithmic growth of temporal and spatial complexity in reverse automatic
          differentiation", Optimization Methods and Software 1, 1992; T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep
          nets with sublinear memory cost", arXiv:1604.06174, 2016.
Cost      One more evaluation of f; memory for its inputs and its output instead of for its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlsys_core.autodiff import graph
from mlsys_core.autodiff.ops.shape import alias
from mlsys_core.autodiff.tape import Of, Op, Value, mode, no_grad, recording
from mlsys_core.autodiff.tensor import Tensor, record


class _Onlooker:
    """Notes which tensors outside a function it reads, and where the generators stood that it draws from."""

    def __init__(self, generators: Iterable[np.random.Generator]) -> None:
        self.tensors: dict[Tensor, None] = {}
        self.states: dict[np.random.Generator, Any] = {g: g.bit_generator.state for g in generators}

    def read(self, parents: tuple[Tensor, ...]) -> None:
        """Nothing inside is recorded, so a tensor that requires a gradient comes from outside."""
        self.tensors.update((x, None) for x in parents if x.requires_grad)

    def drawn(self, args: tuple[Any, ...]) -> None:
        """Keeps the state of a generator before its first draw."""
        for generator in args:
            if isinstance(generator, np.random.Generator):
                self.states.setdefault(generator, generator.bit_generator.state)


@contextmanager
def _onlooking(onlooker: _Onlooker) -> Iterator[None]:
    before, mode.watcher = mode.watcher, onlooker
    try:
        with no_grad():
            yield
    finally:
        mode.watcher = before
        if isinstance(before, _Onlooker):
            # what was drawn inside was drawn inside of the outer function too
            for generator, state in onlooker.states.items():
                before.states.setdefault(generator, state)


@contextmanager
def replayed(states: dict[np.random.Generator, Any]) -> Iterator[None]:
    """Generators at earlier states, and back where they were at the end."""
    now = {generator: generator.bit_generator.state for generator in states}
    try:
        for generator, state in states.items():
            generator.bit_generator.state = state
        yield
    finally:
        for generator, state in now.items():
            generator.bit_generator.state = state


@contextmanager
def undisturbed() -> Iterator[None]:
    """Generators that our random operations draw from inside are put back at the end."""
    before, mode.watcher = mode.watcher, _Onlooker(())
    onlooker = mode.watcher
    try:
        yield
    finally:
        mode.watcher = before
        for generator, state in onlooker.states.items():
            generator.bit_generator.state = state


@dataclass(frozen=True, slots=True)
class _Call:
    """What it takes to run a checkpointed function again: `where` are the places of the tensors among its arguments."""

    f: Callable[..., Tensor]
    args: tuple[Any, ...]
    where: tuple[int, ...]
    states: dict[np.random.Generator, Any]

    def again(self, tensors: list[Tensor]) -> Tensor:
        """The recorded result for these tensors."""
        args = list(self.args)
        for place, x in zip(self.where, tensors, strict=True):
            args[place] = x
        with recording(on=True), replayed(self.states):
            return self.f(*args)


def _vjp(g: Value, out: Tensor, _of: Of) -> tuple[Value, ...]:
    (call,) = out.saved
    given, captured = out.parents[: len(call.where)], out.parents[len(call.where) :]
    if isinstance(g, Tensor):
        inputs = [alias(x) for x in given]
        return tuple(graph.gradients([call.again(inputs)], [g], [*inputs, *captured], graph.tracked, stop=True))
    inputs = [_leaf(x) for x in given]
    # called in place, so that the sweep holds the only reference to what was computed again
    return tuple(
        graph.gradients([call.again(inputs)], [Tensor(g)], [*inputs, *captured], graph.raw, stop=True, free=True)
    )


def _jvp(t: list[Value], out: Tensor, of: Of) -> Value:
    (call,) = out.saved
    given, captured = out.parents[: len(call.where)], out.parents[len(call.where) :]
    inputs = [alias(x) if of is graph.tracked else _leaf(x) for x in given]
    root = call.again(inputs)
    moved = {x: v for x, v in zip([*inputs, *captured], t, strict=True) if v is not None}
    return graph.push([root], moved, of)[0]


CHECKPOINT = Op("checkpoint", _vjp, _jvp)


def _leaf(x: Tensor) -> Tensor:
    return Tensor(x.data, requires_grad=x.requires_grad)


def checkpoint(f: Callable[..., Tensor], *args: Any, generators: Iterable[np.random.Generator] = ()) -> Tensor:
    """f(*args), of which the tape keeps the arguments and the result; the sweep runs f again for the rest.

    f gives one tensor and must do the same when it runs again. Tensors that f reads without being given them (weights of
    a layer) get their gradients too. Generators that our dropout draws from are replayed; name others in `generators`.
    Where nothing is recorded, and in a trace, which keeps only what it needs, this is f(*args). Raises TypeError when f
    gives something else than a tensor.
    """
    if not mode.recording or mode.tracer is not None:
        return f(*args)
    where = tuple(i for i, x in enumerate(args) if isinstance(x, Tensor))
    stand_ins = [_leaf(x) if isinstance(x, Tensor) else x for x in args]
    onlooker = _Onlooker(generators)
    with _onlooking(onlooker):
        out = f(*stand_ins)
    if not isinstance(out, Tensor):
        raise TypeError(
            f"A checkpointed function gives one tensor, and this one gives {type(out).__name__}: join them."
        )
    inside = {stand_ins[i] for i in where}
    captured = (x for x in onlooker.tensors if x not in inside)
    parents = (*(args[i] for i in where), *captured)
    return record(CHECKPOINT, _own(out.data), parents, (_Call(f, args, where, onlooker.states),))


def _own(data: Any) -> Any:
    """data without the rest of a larger array that it is a view of."""
    return data.copy() if data.base is not None and data.base.nbytes > data.nbytes else data
