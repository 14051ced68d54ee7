"""What a node computes: numpy's functions, as functions of arrays without side effects.

Idea      The trace is written in numpy's own words, so running it gives the numbers of the eager program to the bit. What
          writes into memory there is here a function that gives a new array (functionalisation).
Equation  x[i] = v   becomes   x' = set_item(x, i, v);      x += y   becomes   x' = cast(add(x, y), x.dtype)
Paper     C. Harris et al., "Array programming with NumPy", Nature 585, 2020; NEP 13 (`__array_ufunc__`) and NEP 18
          (`__array_function__`), the two protocols that make tracing possible.
Cost      None beyond numpy's; functions with `takes_out` write where they are told.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from mlsys_core.autodiff.static.ir import Operation
from mlsys_core.autodiff.tape import Array


def _into(out: Array | None, shape: tuple[int, ...], dtype: Any) -> Array:
    return np.empty(shape, dtype) if out is None else out


def _cast(x: Any, dtype: Any, out: Array | None = None) -> Array:
    result = _into(out, np.shape(x), dtype)
    np.copyto(result, x, casting="unsafe")
    return result


def _where(mask: Any, a: Any, b: Any, out: Array | None = None) -> Array:
    if out is None:
        return np.where(mask, a, b)
    chosen = np.asarray(mask, dtype=bool)
    if np.may_share_memory(out, chosen):
        np.copyto(out, np.where(chosen, a, b))
    else:
        # out may be the memory of a or of b, and each keeps what it needs
        np.copyto(out, b, where=~chosen)
        np.copyto(out, a, where=chosen)
    return out


def _set_item(x: Array, index: Any, value: Any, out: Array | None = None) -> Array:
    result = _cast(x, x.dtype, out)
    result[index] = value
    return result


def _get_item(x: Array, index: Any) -> Any:
    return x[index]


def _method(name: str) -> Callable[..., Any]:
    def call(x: Array, *args: Any, **options: Any) -> Any:
        return getattr(x, name)(*args, **options)

    return call


CAST = Operation("cast", "elementwise", _cast, takes_out=True)
WHERE = Operation("where", "elementwise", _where, takes_out=True)
SET_ITEM = Operation("set_item", "other", _set_item, takes_out=True)
SLICE = Operation("slice", "view", _get_item)
GATHER = Operation("gather", "other", _get_item)
# reshape may be a copy of what has no other layout; the tracer asks numpy which it was
VIEWS = {name: Operation(name, "view", _method(name)) for name in ("reshape", "transpose", "swapaxes", "squeeze")}
COPIES = {name: Operation(name, "other", op.run) for name, op in VIEWS.items()}
FUNCTIONS = {
    # which sums in another order when it is told where to write
    np.einsum: Operation("einsum", "other", np.einsum),
    np.concatenate: Operation("concatenate", "other", np.concatenate, takes_out=True),
    np.mean: Operation("mean", "other", np.mean, takes_out=True),
    np.broadcast_to: Operation("broadcast_to", "view", np.broadcast_to),
    np.argsort: Operation("argsort", "other", np.argsort),
    np.flip: Operation("flip", "view", np.flip),
    np.where: WHERE,
}


@cache
def ufunc(function: np.ufunc, method: str = "__call__") -> Operation:
    """A ufunc or one of its methods (reduce, accumulate, reduceat, outer) as an operation."""
    if method != "__call__":
        return Operation(f"{function.__name__}.{method}", "other", getattr(function, method), takes_out=True)
    single = function.signature is None and function.nout == 1
    return Operation(function.__name__, "elementwise" if single else "other", function, takes_out=function.nout == 1)


@cache
def whole(function: Callable[..., Any], *, random: bool) -> Operation:
    """A function that was marked as a primitive of the engine."""
    return Operation(function.__name__.lstrip("_"), "random" if random else "other", function)
