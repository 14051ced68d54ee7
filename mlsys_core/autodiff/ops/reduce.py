"""Sums, means and maxima over axes.

Idea      A sum is linear and its transpose repeats; a maximum routes the cotangent to where it was attained, and equal
          maxima share it so that the shares sum to 1 (a subgradient that does not depend on the order of elements).
Equation  y = Σᵢ xᵢ: x̄ᵢ = ȳ        y = maxᵢ xᵢ: x̄ᵢ = ȳ [xᵢ = y] / #{j: xⱼ = y}
Paper     A. Griewank, A. Walther, "Evaluating Derivatives", SIAM, 2nd ed. 2008, chapter 14 (kinks and ties).
Cost      One pass forward and one backward.
"""

from __future__ import annotations

from math import prod
from typing import Any, TypeAlias

from mlsys_core.autodiff.ops.arithmetic import div
from mlsys_core.autodiff.ops.shape import spread
from mlsys_core.autodiff.tape import Of, Op, Value
from mlsys_core.autodiff.tensor import Tensor, record, tensor

Axis: TypeAlias = int | tuple[int, ...] | None


def kept(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """The shape with the reduced axes as axes of length 1."""
    # numpy lets a number be reduced over axis 0 or -1
    if axis is None or not shape:
        return (1,) * len(shape)
    axes = {i % len(shape) for i in ((axis,) if isinstance(axis, int) else axis)}
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def widen(x: Value, out: Tensor) -> Value:
    """A value of the output's shape with the reduced axes put back as axes of length 1."""
    return x.reshape(kept(out.parents[0].data.shape, out.saved[0]))


def _sum_vjp(g: Value, out: Tensor, _of: Of) -> tuple[Value, ...]:
    return (spread(widen(g, out), out.parents[0].data.shape),)


def _max_shares(out: Tensor) -> Value:
    (x,) = out.parents
    hit = x.data == widen(out.data, out)
    return hit / hit.sum(axis=out.saved[0], keepdims=True, dtype=x.data.dtype)


def _sum_jvp(t: list[Value], out: Tensor, _of: Of) -> Value:
    return t[0].sum(axis=out.saved[0]).reshape(out.data.shape)


def _max_jvp(t: list[Value], out: Tensor, _of: Of) -> Value:
    return (t[0] * _max_shares(out)).sum(axis=out.saved[0]).reshape(out.data.shape)


SUM = Op("sum", _sum_vjp, _sum_jvp)
MAX = Op("max", lambda g, out, _of: (widen(g, out) * _max_shares(out),), _max_jvp)


def sum(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:  # noqa: A001 - the field's name
    """The sum over an axis, several, or all."""
    a = tensor(a)
    return record(SUM, a.data.sum(axis=axis, keepdims=keepdims), (a,), (axis,))


def mean(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The mean over an axis, several, or all."""
    a = tensor(a)
    lengths = (n for n, k in zip(a.shape, kept(a.shape, axis), strict=True) if k != n)
    return div(sum(a, axis, keepdims=keepdims), float(prod(lengths)))


def max(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:  # noqa: A001 - the field's name
    """The maximum over an axis, several, or all; equal maxima share the gradient evenly.

    Raises ValueError when there is nothing to take the maximum of.
    """
    a = tensor(a)
    return record(MAX, a.data.max(axis=axis, keepdims=keepdims), (a,), (axis,))
