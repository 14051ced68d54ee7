"""Matrix products, one or many, and the affine map of a layer.

Idea      A product is linear in each factor, so each cotangent is again one product with the other factor transposed.
Equation  Y = A B:   Ā = Ȳ Bᵀ   B̄ = Aᵀ Ȳ      Ẏ = Ȧ B + A Ḃ
Paper     M. Giles, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
          differentiation", Oxford NA-08/01, 2008.
Cost      2mnk FLOPs forward and 4mnk backward. Products of many rows by one matrix are made as one product, because a
          large one runs nearer to the machine's peak than many small ones.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from mlsys_core.autodiff.ops.arithmetic import plus
from mlsys_core.autodiff.ops.elementwise import UFUNCS
from mlsys_core.autodiff.ops.shape import reshape
from mlsys_core.autodiff.tape import Of, Op, Value
from mlsys_core.autodiff.tensor import Tensor, pair, record, tensor


def _matmul_vjp(g: Value, out: Tensor, of: Of) -> tuple[Value, ...]:
    a, b = out.parents
    return (
        g @ of(b).swapaxes(-1, -2) if a.requires_grad else None,
        of(a).swapaxes(-1, -2) @ g if b.requires_grad else None,
    )


def _matmul_jvp(t: list[Value], out: Tensor, of: Of) -> Value:
    a, b = out.parents
    return plus(None if t[0] is None else t[0] @ of(b), None if t[1] is None else of(a) @ t[1])


def _linear_vjp(g: Value, out: Tensor, of: Of) -> tuple[Value, ...]:
    x, w = out.parents[:2]
    shares = [g @ of(w) if x.requires_grad else None, g.T @ of(x) if w.requires_grad else None]
    if len(out.parents) == 3:
        shares.append(g.sum(axis=0))
    return tuple(shares)


def _linear_jvp(t: list[Value], out: Tensor, of: Of) -> Value:
    x, w = out.parents[:2]
    moved = plus(None if t[0] is None else t[0] @ of(w).T, None if t[1] is None else of(x) @ t[1].T)
    return plus(moved, t[2] if len(t) == 3 else None)


MATMUL = Op("matmul", _matmul_vjp, _matmul_jvp)
LINEAR = Op("linear", _linear_vjp, _linear_jvp)


def matmul(a: Any, b: Any) -> Tensor:
    """a @ b by numpy's rules: (..., m, k) @ (..., k, n) -> (..., m, n), leading axes broadcast, vectors allowed."""
    a, b = pair(a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("A matrix product needs at least one axis on each side; use mul for numbers.")
    if a.ndim == 1 and b.ndim == 1:
        return reshape(matmul(reshape(a, (1, -1)), reshape(b, (-1, 1))), ())
    if a.ndim == 1:
        out = matmul(reshape(a, (1, a.size)), b)
        return reshape(out, (*out.shape[:-2], out.shape[-1]))
    if b.ndim == 1:
        out = matmul(a, reshape(b, (b.size, 1)))
        return reshape(out, out.shape[:-1])
    if a.ndim > 2 == b.ndim:
        rows = reshape(a, (prod(a.shape[:-1]), a.shape[-1]))
        return reshape(record(MATMUL, rows.data @ b.data, (rows, b)), (*a.shape[:-1], b.shape[-1]))
    return record(MATMUL, a.data @ b.data, (a, b))


# an array on the left asks numpy first, which must find our product
UFUNCS[np.matmul] = matmul


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """x weightᵀ + bias for x (..., in), weight (out, in), bias (out,) -> (..., out)."""
    x, weight = tensor(x), tensor(weight)
    rows = x if x.ndim == 2 else reshape(x, (prod(x.shape[:-1]), x.shape[-1]))
    data = rows.data @ weight.data.T
    parents: tuple[Tensor, ...] = (rows, weight)
    if bias is not None:
        bias = tensor(bias)
        data += bias.data
        parents = (rows, weight, bias)
    out = record(LINEAR, data, parents)
    return out if x.ndim == 2 else reshape(out, (*x.shape[:-1], weight.shape[0]))
