"""Operations that move elements without changing them.

Idea      All are linear, and the transpose of a move is the move back: a reshape undoes a reshape, a permutation its
          inverse, a repetition (broadcast) becomes a sum, a concatenation becomes slices.
Equation  y = P x:   x̄ = Pᵀ ȳ      ẏ = P ẋ
Paper     R. Frostig, M. Johnson, D. Maclaurin, A. Paszke, A. Radul, "Decomposing reverse-mode automatic differentiation",
          LAFI 2021 (arXiv:2105.09469): reverse mode is linearisation followed by transposition.
Cost      Views where numpy makes views; a concatenation copies once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from mlsys_core.autodiff.tape import Array, Of, Op, Value, primitive
from mlsys_core.autodiff.tensor import Tensor, record, tensor


def spread(x: Value, shape: tuple[int, ...]) -> Value:
    """x, array or tensor, repeated to this shape."""
    if isinstance(x, Tensor):
        return broadcast_to(x, shape)
    return _filled(x, shape)


@primitive()
def _filled(x: Any, shape: tuple[int, ...]) -> Array:
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


def _transpose_vjp(g: Value, out: Tensor, _of: Of) -> tuple[Value, ...]:
    (axes,) = out.saved
    return (g.transpose(tuple(int(i) for i in np.argsort(axes))),)


def _join_vjp(g: Value, out: Tensor, _of: Of) -> tuple[Value, ...]:
    (axis,) = out.saved
    shares, start = [], 0
    for parent in out.parents:
        stop = start + parent.data.shape[axis]
        shares.append(g[(slice(None),) * axis + (slice(start, stop),)])
        start = stop
    return tuple(shares)


def _join_jvp(t: list[Value], out: Tensor, _of: Of) -> Value:
    (axis,) = out.saved
    parts = [np.zeros_like(p.data) if x is None else x for x, p in zip(t, out.parents, strict=True)]
    return concatenate(parts, axis) if any(isinstance(x, Tensor) for x in parts) else np.concatenate(parts, axis)


ALIAS = Op("alias", lambda g, _, _of: (g,), lambda t, _, _of: t[0])
RESHAPE = Op(
    "reshape",
    lambda g, out, _of: (g.reshape(out.parents[0].data.shape),),
    lambda t, out, _of: t[0].reshape(out.data.shape),
)
TRANSPOSE = Op("transpose", _transpose_vjp, lambda t, out, _of: t[0].transpose(out.saved[0]))
SWAPAXES = Op("swapaxes", lambda g, out, _of: (g.swapaxes(*out.saved),), lambda t, out, _of: t[0].swapaxes(*out.saved))
# the sweep itself sums a cotangent to the shape of the operand, and repeats a tangent to the shape of the output
BROADCAST = Op("broadcast_to", lambda g, _, _of: (g,), lambda t, _, _of: t[0])
CONCATENATE = Op("concatenate", _join_vjp, _join_jvp)


def alias(a: Tensor) -> Tensor:
    """The same data as a new node of the graph, to differentiate with respect to it alone."""
    return record(ALIAS, a.data, (a,))


def reshape(a: Any, shape: int | Sequence[int]) -> Tensor:
    """The same elements in another shape; one length may be -1."""
    a = tensor(a)
    return record(RESHAPE, a.data.reshape(shape), (a,))


def transpose(a: Any, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in the given order, reversed without one."""
    a = tensor(a)
    data = a.data.transpose(axes)
    order = tuple(reversed(range(a.ndim))) if axes is None else tuple(i % a.ndim for i in axes)
    return record(TRANSPOSE, data, (a,), (order,))


def swapaxes(a: Any, first: int, second: int) -> Tensor:
    """Two axes exchanged."""
    a = tensor(a)
    return record(SWAPAXES, a.data.swapaxes(first, second), (a,), (first, second))


def broadcast_to(a: Any, shape: Sequence[int]) -> Tensor:
    """a repeated to this shape; the result is a read-only view."""
    a = tensor(a)
    return record(BROADCAST, np.broadcast_to(a.data, tuple(shape)), (a,))


def concatenate(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors joined along an axis that exists."""
    parts = tuple(tensor(x) for x in tensors)
    return record(CONCATENATE, np.concatenate([x.data for x in parts], axis), parts, (axis % parts[0].ndim,))


def stack(tensors: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis."""
    parts = [tensor(x) for x in tensors]
    at = normalize_axis_index(axis, parts[0].ndim + 1)
    return concatenate([reshape(x, (*x.shape[:at], 1, *x.shape[at:])) for x in parts], at)


def split(a: Any, sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Equal parts along an axis, or parts that begin at the given positions, as numpy.split cuts them."""
    a = tensor(a)
    length = a.shape[axis]
    if isinstance(sections, int):
        if length % sections:
            raise ValueError(f"An axis of length {length} cannot be cut into {sections} equal parts.")
        sections = range(length // sections, length, length // sections) if length else [0] * (sections - 1)
    bounds = [0, *sections, length]
    before = (slice(None),) * (axis % a.ndim)
    return [a[(*before, slice(lo, hi))] for lo, hi in pairwise(bounds)]
