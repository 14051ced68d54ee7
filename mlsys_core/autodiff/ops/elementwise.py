"""Functions of one number applied to every element, and the choice between two.

Idea      An elementwise function has a diagonal Jacobian, so its vjp and its jvp are the same product with the slope.
Equation  y = f(x):   x̄ = f'(x) ȳ      ẏ = f'(x) ẋ
Paper     A. Griewank, A. Walther, "Evaluating Derivatives", SIAM, 2nd ed. 2008, table 2.3.
Cost      Slopes use the output where they can: exp' = y, tanh' = 1 - y², √' = 1/(2y); nothing else is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlsys_core.autodiff.ops.arithmetic import add, div, mul, neg, plus, pow, sub, times  # noqa: A004
from mlsys_core.autodiff.tape import Array, Of, Op, Value, asarray
from mlsys_core.autodiff.tensor import Tensor, pair, record, tensor


def _unary(name: str, f: Callable[[Array], Array], slope: Callable[[Tensor, Of], Value]) -> Callable[[Any], Tensor]:
    op = Op(name, lambda g, out, of: (g * slope(out, of),), lambda t, out, of: t[0] * slope(out, of))

    def apply(x: Any) -> Tensor:
        x = tensor(x)
        return record(op, f(x.data), (x,))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"{name} of every element."
    return apply


def _input(out: Tensor, of: Of) -> Value:
    return of(out.parents[0])


exp = _unary("exp", np.exp, lambda out, of: of(out))
log = _unary("log", np.log, lambda out, of: 1.0 / _input(out, of))
sqrt = _unary("sqrt", np.sqrt, lambda out, of: 0.5 / of(out))
sin = _unary("sin", np.sin, lambda out, of: np.cos(_input(out, of)))
cos = _unary("cos", np.cos, lambda out, of: -np.sin(_input(out, of)))
tanh = _unary("tanh", np.tanh, lambda out, of: 1.0 - of(out) * of(out))
sigmoid = _unary("sigmoid", lambda x: 0.5 * np.tanh(0.5 * x) + 0.5, lambda out, of: of(out) * (1.0 - of(out)))
# slopes that are constant wherever they exist; at the kink both are 0, as in torch
abs = _unary("abs", np.abs, lambda out, _of: np.sign(out.parents[0].data))  # noqa: A001
relu = _unary("relu", lambda x: np.maximum(x, 0), lambda out, _of: out.parents[0].data > 0)


def _select_vjp(g: Value, out: Tensor, _of: Of) -> tuple[Value, ...]:
    (mask,) = out.saved
    if isinstance(g, Tensor):
        return where(mask, g, 0.0), where(mask, 0.0, g)
    zero = g.dtype.type(0)
    return np.where(mask, g, zero), np.where(mask, zero, g)


def _select_jvp(t: list[Value], out: Tensor, _of: Of) -> Value:
    (mask,) = out.saved
    a, b = (0.0 if x is None else x for x in t)
    return where(mask, a, b) if isinstance(a, Tensor) or isinstance(b, Tensor) else np.where(mask, a, b)


def _maximum_shares(out: Tensor) -> tuple[Array, Array]:
    a, b = (x.data for x in out.parents)
    first = (0.5 * ((a > b).astype(out.dtype) + (a >= b))).astype(out.dtype)
    return first, 1 - first


def _maximum_vjp(g: Value, out: Tensor, _of: Of) -> tuple[Value, ...]:
    first, second = _maximum_shares(out)
    return g * first, g * second


def _maximum_jvp(t: list[Value], out: Tensor, _of: Of) -> Value:
    first, second = _maximum_shares(out)
    return plus(times(t[0], first), times(t[1], second))


WHERE = Op("where", _select_vjp, _select_jvp)
MAXIMUM = Op("maximum", _maximum_vjp, _maximum_jvp)


def where(mask: Any, a: Any, b: Any) -> Tensor:
    """a where the boolean mask holds, else b; what is not chosen gets a zero share even where its slope is not finite."""
    mask = mask.data if isinstance(mask, Tensor) else asarray(mask)
    a, b = pair(a, b)
    return record(WHERE, np.where(mask, a.data, b.data), (a, b), (mask,))


def maximum(a: Any, b: Any) -> Tensor:
    """The larger of two, element by element; equal ones get half of the gradient each."""
    a, b = pair(a, b)
    return record(MAXIMUM, np.maximum(a.data, b.data), (a, b))


# numpy's functions as ours, so that rules can be written with numpy's names for arrays and tensors alike
UFUNCS: dict[Any, Callable[..., Tensor]] = {
    np.add: add,
    np.subtract: sub,
    np.multiply: mul,
    np.true_divide: div,
    np.power: pow,
    np.negative: neg,
    np.exp: exp,
    np.log: log,
    np.sqrt: sqrt,
    np.sin: sin,
    np.cos: cos,
    np.tanh: tanh,
    np.abs: abs,
    np.maximum: maximum,
}
