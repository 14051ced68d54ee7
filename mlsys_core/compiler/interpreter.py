"""What definitions and loop nests mean, in plain Python and numpy: slow, obvious, and what generated code is held against.

Idea      A definition is evaluated on all its indices at once, by numpy; a nest statement by statement, with every index checked and every
          buffer poisoned until it is written. A schedule is right where the two agree.
Equation  [[for v in 0..n: S]] = [[S]](v = 0); …; [[S]](v = n - 1), whatever the loop's kind
Paper     D. Scott, C. Strachey, "Toward a mathematical semantics for computer languages", Oxford PRG-6, 1971.
Cost      About a microsecond an operation of a nest; one array of all terms for a definition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from mlsys_core.compiler.expressions import Binary, Call, Const, Expr, Load, Select, Var
from mlsys_core.compiler.ir import Axis, For, Local, Program, Stmt, Store, Tensor

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "max": np.maximum,
    "min": np.minimum,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "and": np.logical_and,
}
CALLS: dict[str, Callable[[Any], Any]] = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "abs": np.abs}
JOIN: dict[str, np.ufunc] = {"+": np.add, "*": np.multiply, "max": np.maximum, "min": np.minimum}


def reference(tensor: Tensor, inputs: Mapping[str, Array]) -> Array:
    """A tensor's elements by its definition, and by the definitions of what it reads; `inputs` by name."""
    definition = tensor.compute
    if definition is None:
        return inputs[tensor.name]
    with np.errstate(over="ignore"):  # whole numbers wrap around, as they do in the generated code
        value = _on_grid(definition.body, definition.axes + definition.reduces, inputs)
        if definition.reduces:
            over = tuple(range(len(definition.axes), value.ndim))
            value = JOIN[definition.op].reduce(value, axis=over, dtype=value.dtype)
        if definition.post is not None:
            value = _on_grid(definition.post, definition.axes, {**inputs, tensor.name: value}, own=tensor.name)
    return np.ascontiguousarray(value.astype(tensor.dtype, copy=False))


def _on_grid(e: Expr, axes: Sequence[Axis], inputs: Mapping[str, Array], own: str = "") -> Array:
    shape = tuple(axis.extent for axis in axes)
    grid = dict(zip((axis.name for axis in axes), np.indices(shape, sparse=True), strict=True))
    read: dict[str, Array] = {}

    def value(x: Expr) -> Any:
        match x:
            case Const():
                return x.value
            case Var():
                return grid[x.name]
            case Load():
                name = x.tensor.name
                if name not in read:
                    read[name] = inputs[name] if name == own else reference(x.tensor, inputs)
                # a select takes either side, so the side that is not taken may point anywhere
                where = (np.clip(value(i), 0, n - 1) for i, n in zip(x.index, x.tensor.shape, strict=True))
                return read[name][tuple(where)]
            case Binary():
                return OPERATIONS[x.op](value(x.a), value(x.b))
            case Call():
                return CALLS[x.name](value(x.x))
            case Select():
                yes = np.asarray(value(x.yes))
                return np.where(value(x.condition), yes, value(x.no)).astype(yes.dtype)
        raise TypeError(f"{type(x).__name__} is no expression of this compiler.")

    return np.broadcast_to(value(e), shape)


def run(program: Program, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Runs a nest on inputs by name, and gives outputs by name. Raises IndexError for an access outside of a tensor."""
    memory = {tensor.name: inputs[tensor.name] for tensor in program.inputs}
    memory |= {tensor.name: poisoned(tensor) for tensor in program.outputs + program.workspaces}
    with np.errstate(over="ignore"):
        for statement in program.body:
            _execute(statement, {}, memory)
    return {tensor.name: memory[tensor.name] for tensor in program.outputs}


def poisoned(tensor: Tensor) -> Array:
    """Memory that nothing has written: NaN, or -1 in every bit."""
    return np.full(tensor.shape, np.nan if tensor.dtype.startswith("float") else -1, tensor.dtype)


def _execute(s: Stmt, env: dict[str, int], memory: dict[str, Array]) -> None:
    match s:
        case For():
            for i in range(s.extent):
                for inner in s.body:
                    _execute(inner, {**env, s.var: i}, memory)
        case Local():
            inside = {**memory, s.tensor.name: poisoned(s.tensor)}
            for inner in s.body:
                _execute(inner, env, inside)
        case Store():
            at = _inside(s.tensor, s.index, env, memory)
            memory[s.tensor.name][at] = _value(s.value, env, memory)


def _inside(tensor: Tensor, index: tuple[Expr, ...], env: dict[str, int], memory: dict[str, Array]) -> tuple[int, ...]:
    at = tuple(int(_value(i, env, memory)) for i in index)
    if any(not 0 <= i < n for i, n in zip(at, tensor.shape, strict=True)):
        raise IndexError(f"{tensor.name} has shape {tensor.shape} and is used at {at}.")
    return at


def _value(e: Expr, env: dict[str, int], memory: dict[str, Array]) -> Any:
    match e:
        case Const():
            return e.value
        case Var():
            return env[e.name]
        case Load():
            return memory[e.tensor.name][_inside(e.tensor, e.index, env, memory)]
        case Binary():
            return OPERATIONS[e.op](_value(e.a, env, memory), _value(e.b, env, memory))
        case Call():
            return CALLS[e.name](_value(e.x, env, memory))
        case Select():
            return _value(e.yes if _value(e.condition, env, memory) else e.no, env, memory)
    raise TypeError(f"{type(e).__name__} is no expression of this compiler.")
