"""Operations in sixteen bits on the tape: a cast, and a product of matrices that sums in float32.

Idea      Products of sixteen-bit numbers are exact in float32, so only the sum rounds; tensor cores do the same. Cotangents are
          rounded as values are, which is where small gradients are lost. The slope of rounding is taken to be 1.
Equation  Y = r(Σₖ r(A)ᵢₖ r(B)ₖⱼ) in float32:   Ā = r(r(Ȳ) r(B)ᵀ)   B̄ = r(r(A)ᵀ r(Ȳ));     cast: x̄ = r(ȳ) as the type of x
Paper     P. Micikevicius et al., "Mixed precision training", ICLR 2018, section 3.3 (products in half, sums in single).
Cost      Emulated: a float32 product and a pass of rounding for each operand. On tensor cores half the bytes.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from mlsys_core.autodiff.amp.precision import Precision, narrowed
from mlsys_core.autodiff.ops.arithmetic import plus
from mlsys_core.autodiff.ops.shape import reshape
from mlsys_core.autodiff.tape import Array, Of, Op, Value
from mlsys_core.autodiff.tensor import Tensor, record, tensor


def product(a: Array, b: Array, precision: Precision) -> Array:
    """a @ b of rounded operands, summed in float32, then rounded: (..., m, k) @ (..., k, n)."""
    wide = (precision.round(x).astype(np.float32, copy=False) for x in (a, b))
    # infinities that rounding made meet here, as they do on hardware
    with np.errstate(over="ignore", invalid="ignore"):
        return precision.round(np.matmul(*wide))


def _cast(x: Value, precision: Precision, dtype: Any) -> Value:
    """x, array or tensor, rounded and kept as dtype."""
    if isinstance(x, Tensor):
        return record(CAST, narrowed(precision.round(x.data), dtype), (x,), (precision,))
    return narrowed(precision.round(x), dtype)


def _product(a: Value, b: Value, precision: Precision) -> Value:
    """The product of arrays or tensors."""
    return matmul(a, b, precision) if isinstance(a, Tensor) or isinstance(b, Tensor) else product(a, b, precision)


def _matmul_vjp(g: Value, out: Tensor, of: Of) -> tuple[Value, ...]:
    (precision,) = out.saved
    a, b = out.parents
    in_a = _product(g, of(b).swapaxes(-1, -2), precision) if a.requires_grad else None
    in_b = _product(of(a).swapaxes(-1, -2), g, precision) if b.requires_grad else None
    return tuple(
        None if s is None else _cast(s, precision, x.data.dtype) for s, x in zip((in_a, in_b), (a, b), strict=True)
    )


def _matmul_jvp(t: list[Value], out: Tensor, of: Of) -> Value:
    (precision,) = out.saved
    a, b = out.parents
    return plus(
        None if t[0] is None else _product(t[0], of(b), precision),
        None if t[1] is None else _product(of(a), t[1], precision),
    )


CAST = Op(
    "cast",
    lambda g, out, _of: (_cast(g, out.saved[0], out.parents[0].data.dtype),),
    lambda t, out, _of: _cast(t[0], out.saved[0], out.data.dtype),
)
MATMUL = Op("low_precision_matmul", _matmul_vjp, _matmul_jvp)


def cast(x: Any, precision: Precision) -> Tensor:
    """x rounded to a precision; its cotangent is rounded too, and then given in the type of x."""
    rounded: Tensor = _cast(tensor(x), precision, precision.dtype)
    return rounded


def matmul(a: Any, b: Any, precision: Precision) -> Tensor:
    """a @ b in a precision with sums in float32: (..., m, k) @ (k, n) or (..., k, n) -> (..., m, n) of that precision."""
    a, b = tensor(a), tensor(b)
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(f"A product of matrices needs two axes on each side, and these have {a.ndim} and {b.ndim}.")
    if a.ndim > 2 == b.ndim:
        # one product, so that the share of b is one sum in float32 too
        rows = reshape(a, (prod(a.shape[:-1]), a.shape[-1]))
        return reshape(matmul(rows, b, precision), (*a.shape[:-1], b.shape[-1]))
    return record(MATMUL, product(a.data, b.data, precision), (a, b), (precision,))
