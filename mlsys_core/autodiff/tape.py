"""What is recorded: an operation with its two derivative rules, and whether recording is on.

Idea      An evaluation trace (Wengert list) of elementary operations, each with known local derivatives, is all that is
          needed to differentiate a program.
Equation  y = f(a, b):   vjp  ḡ ↦ (ḡ ∂f/∂a, ḡ ∂f/∂b)      jvp  (ȧ, ḃ) ↦ ∂f/∂a ȧ + ∂f/∂b ḃ
Paper     R. E. Wengert, "A simple automatic derivative evaluation program", CACM 7(8), 1964.
Cost      One record an operation: references to its inputs and to what its rules need later.

Rules are written once and run in two worlds. A rule gets `of`, which turns a tensor of the graph into the value to compute
with: its ndarray when only numbers are wanted, the tensor itself when the derivative must be a graph again (higher orders).
Everything else in a rule is written with operators and methods that both have.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ContextDecorator
from copy import copy
from dataclasses import dataclass
from functools import wraps
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias, TypeVar, cast

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
# an ndarray in the world of numbers, a Tensor in the world of graphs; no static type holds both sets of operators
Value: TypeAlias = Any
Of: TypeAlias = Callable[[Any], Value]
# (cotangent of the output, output, of) -> a cotangent or None for each input
Vjp: TypeAlias = Callable[[Value, Any, Of], tuple[Value, ...]]
# (a tangent or None for each input, output, of) -> tangent of the output
Jvp: TypeAlias = Callable[[list[Value], Any, Of], Value]
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """A differentiable operation: its name and its two rules.

    A cotangent may have the broadcast shape of the output: the sweep sums it to the input's shape. A rule may give None
    for an input that needs no gradient.
    """

    name: str
    vjp: Vjp
    jvp: Jvp


# what a leaf has instead of an operation: it has no inputs, so its rules answer nothing
LEAF = Op("leaf", lambda _g, _out, _of: (), lambda _t, _out, _of: None)


def _freed(*_: Any) -> Any:
    raise RuntimeError(
        "This part of the graph was given back by an earlier backward: call that one with retain_graph=True, or compute "
        "the forward pass again."
    )


# what an operation becomes when a sweep has given back what it held
FREED = Op("freed", _freed, _freed)


class Watcher(Protocol):
    """What looks on while a function runs without being recorded; see checkpointing/checkpoint.py."""

    def read(self, parents: tuple[Any, ...]) -> None:
        """An operation has read these tensors."""

    def drawn(self, args: tuple[Any, ...]) -> None:
        """A random primitive is about to be called with these arguments."""


class Tracer(Protocol):
    """What writes a program down while it is traced into a static graph; see static/recorder.py."""

    def primitive(self, function: Callable[..., Any], args: tuple[Any, ...], *, random: bool) -> Any:
        """Calls a function that is marked as a primitive, and notes it where that is needed."""

    def constant(self, x: Array) -> Any:
        """A stand-in for an array that does not depend on the inputs."""


class _Mode(threading.local):
    recording: bool = True
    watcher: Watcher | None = None
    tracer: Tracer | None = None


mode = _Mode()


class TracedArray:
    """What stands for an ndarray while a program is traced into a static graph; see static/tracer.py.

    value   the array itself
    place   of the node that computes it
    """

    value: Array
    place: int

    def check(self) -> None:
        """Raises TraceError when what it names has changed behind it."""
        raise NotImplementedError

    def astype(self, dtype: Any, *, copy: bool = True) -> Any:
        """The same elements as another type."""
        raise NotImplementedError


def asarray(x: Any, dtype: Any = None) -> Any:
    """numpy's asarray; while a program is traced, a stand-in for the array."""
    if isinstance(x, TracedArray):
        return x if dtype is None else x.astype(dtype, copy=False)
    array = np.asarray(x, dtype=dtype)
    return array if mode.tracer is None else mode.tracer.constant(array)


def primitive(*, random: bool = False) -> Callable[[Function], Function]:
    """Marks a function of arrays that a trace writes down as one operation, because its steps depend on the numbers.

    A random one is written down at every call, also when its arguments are constants.
    """

    def mark(function: Function) -> Function:
        @wraps(function)
        def call(*args: Any) -> Any:
            if random and mode.watcher is not None:
                mode.watcher.drawn(args)
            return function(*args) if mode.tracer is None else mode.tracer.primitive(function, args, random=random)

        return cast("Function", call)

    return mark


class recording(ContextDecorator):  # noqa: N801 - read as a statement: `with recording(True):`
    """Switches recording on or off in this thread, as a context or a decorator, and puts back what was there."""

    def __init__(self, on: bool) -> None:  # noqa: FBT001 - the one argument that a switch has
        self._on = on
        self._before: list[bool] = []

    def _recreate_cm(self) -> Self:
        """A decorated function may run in several threads at once, so each call remembers for itself."""
        again = copy(self)
        recording.__init__(again, on=self._on)
        return again

    def __enter__(self) -> Self:
        self._before.append(mode.recording)
        mode.recording = self._on
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        mode.recording = self._before.pop()


class no_grad(recording):  # noqa: N801 - the field's name
    """Nothing computed inside is recorded: results need no gradient and keep no reference to their inputs."""

    def __init__(self) -> None:
        super().__init__(on=False)


def is_recording() -> bool:
    """Whether operations are recorded now in this thread."""
    return mode.recording
