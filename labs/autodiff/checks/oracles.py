"""Expected derivatives, found without any rule of differentiation that the lab asks for.

- Complex step: for a real-analytic f, Im f(x + ih·e) / h is the directional derivative to full precision, as nothing is subtracted
  (Squire and Trapp, SIAM Review 40, 1998). Central differences would stop at about 1e-10.
- Hyper-dual numbers a + b·ε₁ + c·ε₂ + d·ε₁ε₂ with ε₁² = ε₂² = 0 carry a second derivative exactly (Fike and Alonso, AIAA 2011).
  Their parts may be complex, and a complex step on top gives third derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

H = 1e-40
Function = Callable[..., Any]


def complex_step_vjp(f: Function, inputs: Sequence[np.ndarray], cotangent: np.ndarray) -> list[np.ndarray]:
    """For each input x, the array of Σᵢ cotangentᵢ ∂fᵢ/∂xⱼ. `f` takes and returns complex arrays. Cost: one f an element."""
    return [_one_input(f, inputs, position, cotangent) for position in range(len(inputs))]


def _one_input(f: Function, inputs: Sequence[np.ndarray], position: int, cotangent: np.ndarray) -> np.ndarray:
    gradient = np.zeros(inputs[position].shape)
    for where in np.ndindex(gradient.shape):
        moved = [array.astype(np.complex128) for array in inputs]
        moved[position][where] += 1j * H
        gradient[where] = np.sum(cotangent * (np.imag(f(*moved)) / H))
    return gradient


def complex_step_jvp(f: Function, inputs: Sequence[np.ndarray], tangents: Sequence[np.ndarray]) -> np.ndarray:
    """The derivative of `f` along `tangents`."""
    moved = [array + 1j * H * tangent for array, tangent in zip(inputs, tangents, strict=True)]
    return np.asarray(np.imag(f(*moved)) / H)


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """Complex arrays allowed; the shift is real, so it is a constant of the complex step."""
    weights = np.exp(x - x.real.max(axis=axis, keepdims=True, initial=-np.inf))
    return np.asarray(weights / weights.sum(axis=axis, keepdims=True))


def logsumexp(x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    """As `softmax`."""
    top = x.real.max(axis=axis, keepdims=True)
    total = top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True))
    return total if keepdims else np.squeeze(total, axis=axis)


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    """Over the last axis, with the variance of the whole population."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps) * weight + bias)


def index_of(parts: Sequence[Any]) -> tuple[Any, ...]:
    """The numpy index that plain data stands for: a dict is a slice."""
    return tuple(slice(part["start"], part["stop"], part["step"]) if isinstance(part, dict) else part for part in parts)


def axes_of(axis: Any) -> Any:
    """Lists cross the wire, numpy wants tuples."""
    return tuple(axis) if isinstance(axis, list) else axis


FORWARD: dict[str, Function] = {
    "sub": lambda a, b: a - b,
    "div": lambda a, b: a / b,
    "mul": lambda a, b: a * b,
    "add": lambda a, b: a + b,
    "pow": lambda x, exponent: x**exponent,
    "log": np.log,
    "tanh": np.tanh,
    "broadcast_to": lambda x, shape: np.broadcast_to(x, tuple(shape)),
    "sum": lambda x, axis, keepdims: x.sum(axis=axes_of(axis), keepdims=keepdims),
    # numpy orders complex numbers by their real parts first
    "max": lambda x, axis, keepdims: x.max(axis=axes_of(axis), keepdims=keepdims),
    "transpose": lambda x, axes: x.transpose(axes),
    "getitem": lambda x, index: x[index_of(index)],
    "matmul": lambda a, b: a @ b,
    "softmax": softmax,
    "logsumexp": lambda x, axis, keepdims: logsumexp(x, axes_of(axis), keepdims),
    "layer_norm": layer_norm,
}


class HyperDual:
    """A value with two first derivatives and their mixed second derivative."""

    def __init__(self, value: Any, first: Any, second: Any, mixed: Any) -> None:
        self.value, self.first, self.second, self.mixed = value, first, second, mixed

    def __add__(self, other: HyperDual) -> HyperDual:
        return HyperDual(
            self.value + other.value, self.first + other.first, self.second + other.second, self.mixed + other.mixed
        )

    def __mul__(self, other: HyperDual) -> HyperDual:
        return HyperDual(
            self.value * other.value,
            self.first * other.value + self.value * other.first,
            self.second * other.value + self.value * other.second,
            self.mixed * other.value + self.first * other.second + self.second * other.first + self.value * other.mixed,
        )

    def mapped(self, value: Any, slope: Any, bend: Any) -> HyperDual:
        """φ of this number, from φ, φ' and φ'' at its value."""
        return HyperDual(
            value, slope * self.first, slope * self.second, slope * self.mixed + bend * self.first * self.second
        )

    def linear(self, matrix: np.ndarray) -> HyperDual:
        """matrix @ this vector."""
        return HyperDual(matrix @ self.value, matrix @ self.first, matrix @ self.second, matrix @ self.mixed)


def evaluate(steps: Sequence[Sequence[Any]], leaves: Sequence[Any]) -> list[Any]:
    """Every value of a graph: of arrays (real or complex), or of hyper-dual numbers."""
    values = list(leaves)
    for op, *rest in steps:
        arguments = [values[i] for i in rest[:1]] if op == "linear" else [values[i] for i in rest]
        values.append(_value(op, arguments, rest))
    return values


def _value(op: str, arguments: list[Any], rest: Sequence[Any]) -> Any:
    x = arguments[0]
    dual = isinstance(x, HyperDual)
    if op == "add":
        return x + arguments[1]
    if op == "mul":
        return x * arguments[1]
    if op == "neg":
        return x.mapped(-x.value, -1.0, 0.0) if dual else -x
    if op == "exp":
        return x.mapped(np.exp(x.value), np.exp(x.value), np.exp(x.value)) if dual else np.exp(x)
    if op == "sin":
        return x.mapped(np.sin(x.value), np.cos(x.value), -np.sin(x.value)) if dual else np.sin(x)
    if op == "linear":
        return x.linear(rest[1]) if dual else rest[1] @ x
    raise ValueError(op)


def last_value(steps: Sequence[Sequence[Any]]) -> Function:
    """The graph as a function of its leaves."""
    return lambda *leaves: evaluate(steps, leaves)[-1]


def second_derivative(
    steps: Sequence[Sequence[Any]],
    leaves: Sequence[np.ndarray],
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
) -> np.ndarray:
    """D²y[first, second] for the last value y; leaves may be complex."""
    duals = [HyperDual(leaf, a, b, np.zeros(leaf.shape)) for leaf, a, b in zip(leaves, first, second, strict=True)]
    return np.asarray(evaluate(steps, duals)[-1].mixed)


def mixed_gradient(
    steps: Sequence[Sequence[Any]],
    leaves: Sequence[np.ndarray],
    cotangent: np.ndarray,
    *,
    inner: int,
    direction: np.ndarray,
    outer: int,
) -> np.ndarray:
    """∂/∂(leaf outer) of ⟨direction, ∂⟨cotangent, y⟩/∂(leaf inner)⟩, element by element."""
    still = [np.zeros(leaf.shape) for leaf in leaves]
    first = [direction if i == inner else zero for i, zero in enumerate(still)]
    result = np.zeros(leaves[outer].shape)
    for where in np.ndindex(result.shape):
        second = [zero.copy() for zero in still]
        second[outer][where] = 1.0
        result[where] = np.sum(cotangent * second_derivative(steps, leaves, first, second))
    return result


def third_gradient(
    steps: Sequence[Sequence[Any]], x: np.ndarray, cotangent: np.ndarray, u: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """The gradient with respect to x of D²⟨cotangent, y⟩[u, v]: a complex step over hyper-dual numbers."""

    def bend(point: np.ndarray) -> Any:
        return np.sum(cotangent * second_derivative(steps, [point], [u], [v]))

    return complex_step_vjp(bend, [x], np.ones(()))[0]


def path_sums(steps: Sequence[Sequence[Any]], leaves: Sequence[np.ndarray], cotangent: np.ndarray) -> list[np.ndarray]:
    """The gradient by its definition: over every path from the last value down to a leaf, the product of local derivatives.

    For graphs of elementwise operations. Cost: the number of paths, so keep them small.
    """
    values, totals = evaluate(steps, leaves), [np.zeros(leaf.shape) for leaf in leaves]
    waiting = [(len(values) - 1, cotangent)]
    while waiting:
        number, product = waiting.pop()
        if number < len(leaves):
            totals[number] = totals[number] + product
            continue
        op, *sources = steps[number - len(leaves)]
        for position, source in enumerate(sources):
            waiting.append((source, product * _local(op, position, [values[i] for i in sources])))
    return totals


def _local(op: str, position: int, arguments: list[np.ndarray]) -> Any:
    if op == "add":
        return 1.0
    if op == "neg":
        return -1.0
    if op == "mul":
        return arguments[1 - position]
    return np.exp(arguments[0]) if op == "exp" else np.cos(arguments[0])
