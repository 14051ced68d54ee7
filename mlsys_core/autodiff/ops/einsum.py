"""Sums of products, named by their indices.

Idea      A sum of products is linear in each factor; the cotangent of a factor is the sum of products of the output's
          cotangent and the other factors, with the factor's own indices as the result.
Equation  y_o = Σ a_p b_q:   ā_p = Σ ȳ_o b_q      (an index of p alone, summed away in y, is repeated in ā)
Paper     A. Einstein, Ann. Phys. 354, 1916 (the convention); D. Maclaurin, "Modeling, inference and optimization with
          composable differentiable procedures", PhD thesis, Harvard, 2016 (Autograd's rule).
Cost      That of numpy.einsum with an optimised order of contraction; backward one such sum a factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsys_core.autodiff.ops.arithmetic import plus
from mlsys_core.autodiff.ops.shape import spread
from mlsys_core.autodiff.tape import Of, Op, Value
from mlsys_core.autodiff.tensor import Tensor, record, tensor


def _either(spec: str, *factors: Value) -> Value:
    """The sum of products of arrays or tensors."""
    if any(isinstance(x, Tensor) for x in factors):
        return einsum(spec, *factors)
    return np.einsum(spec, *factors, optimize=len(factors) > 1)


def _share(i: int, g: Value, out: Tensor, of: Of) -> Value:
    terms, result = out.saved
    others = [(terms[j], of(x)) for j, x in enumerate(out.parents) if j != i]
    known = set(result).union(*(t for t, _ in others))
    shape = out.parents[i].data.shape
    # an axis of length 1 is repeated along a longer one of its name, so its share is summed over that
    held = [c in known and n != 1 for c, n in zip(terms[i], shape, strict=True)]
    target = "".join(c for c, stays in zip(terms[i], held, strict=True) if stays)
    share = _either(",".join([result, *(t for t, _ in others)]) + "->" + target, g, *(x for _, x in others))
    lengths = iter(share.shape)
    return spread(share.reshape(tuple(next(lengths) if stays else 1 for stays in held)), shape)


def _jvp(t: list[Value], out: Tensor, of: Of) -> Value:
    terms, result = out.saved
    total = None
    for i, tangent in enumerate(t):
        if tangent is not None:
            factors = [tangent if j == i else of(x) for j, x in enumerate(out.parents)]
            total = plus(total, _either(",".join(terms) + "->" + result, *factors))
    return total


EINSUM = Op("einsum", lambda g, out, of: tuple(_share(i, g, out, of) for i in range(len(out.parents))), _jvp)


def einsum(spec: str, *factors: Any) -> Tensor:
    """The sum of products that spec names, as numpy.einsum: "bij,bjk->bik".

    Raises ValueError for an ellipsis, an index twice in one factor, or a missing arrow: they have clearer spellings.
    """
    left, arrow, result = spec.replace(" ", "").partition("->")
    terms = tuple(left.split(","))
    if not arrow or "." in spec or any(len(set(t)) < len(t) for t in (*terms, result)):
        raise ValueError(f"Write {spec!r} with an arrow, without an ellipsis, and with each index once in a factor.")
    tensors = tuple(tensor(x) for x in factors)
    return record(
        EINSUM, np.einsum(spec, *(x.data for x in tensors), optimize=len(tensors) > 1), tensors, (terms, result)
    )
