"""Derivatives of functions: gradients, vector-Jacobian and Jacobian-vector products, Hessian-vector products.

Idea      Reverse mode gives one row combination of the Jacobian for the price of a few evaluations, forward mode one column
          combination; composed, they give a column combination of the Hessian without ever forming it.
Equation  vjp(f)(x)(u) = uᵀ J(x)      jvp(f)(x, v) = J(x) v      hvp(f)(x, v) = d/dε ∇f(x + εv) |₀ = H(x) v
Paper     B. Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6(1), 1994 (the R operator:
          forward over reverse); A. G. Baydin et al., "Automatic differentiation in machine learning: a survey", JMLR 2018.
Cost      vjp and jvp a small multiple of f, here with the trace in memory for both; hvp at most about 6 evaluations of f.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from mlsys_core.autodiff import graph
from mlsys_core.autodiff.ops.shape import alias
from mlsys_core.autodiff.tape import mode, recording
from mlsys_core.autodiff.tensor import Tensor, tensor

Outputs: TypeAlias = Tensor | tuple[Tensor, ...]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    cotangents: Any = None,
    *,
    create_graph: bool = False,
) -> Any:
    """Gradients of the outputs, contracted with cotangents, with respect to the inputs; `.grad` stays as it is.

    A tensor for one input, a tuple for a sequence; zeros for an input that the outputs do not depend on. cotangents have
    the shapes of the outputs (default 1 for one element). With create_graph the gradients are graphs themselves. Raises
    TypeError for an input that is not of a floating type.
    """
    roots = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    wanted = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    for x in wanted:
        if x.dtype.kind != "f":
            raise TypeError(f"Only floating tensors have gradients, and an input is {x.dtype}: give it dtype=float.")
    given = (cotangents,) if isinstance(outputs, Tensor) else cotangents or (None,) * len(roots)
    seeds = [graph.seed_of(root, cotangent) for root, cotangent in zip(roots, given, strict=True)]
    found = tuple(_pull(roots, seeds, wanted, create_graph=create_graph))
    return found[0] if isinstance(inputs, Tensor) else found


def _pull(
    roots: Sequence[Tensor], seeds: Sequence[Tensor], wanted: Sequence[Tensor], *, create_graph: bool
) -> list[Tensor]:
    with recording(on=create_graph):
        values = graph.gradients(roots, seeds, wanted, graph.tracked if create_graph else graph.raw)
        return [_tensor_like(x, value) for x, value in zip(wanted, values, strict=True)]


def _tensor_like(x: Tensor, value: Any) -> Tensor:
    if value is None:
        return Tensor(np.zeros_like(x.data))
    return value if isinstance(value, Tensor) else Tensor(value, dtype=x.data.dtype)


def _variables(primals: Sequence[Any]) -> list[Tensor]:
    """Tensors to differentiate with respect to; one that has a history stays joined to it, so that derivatives nest."""
    given = [tensor(x) for x in primals]
    return [alias(x) if x.requires_grad else Tensor(x.data, requires_grad=True) for x in given]


def _tracked(tensors: Sequence[Any]) -> bool:
    return mode.recording and any(isinstance(x, Tensor) and x.requires_grad for x in tensors)


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., tuple[Tensor, ...]]]:
    """f(*primals) and the function that maps a cotangent for each output to a cotangent for each primal.

    Primals are tensors or floating arrays; f returns a tensor or a tuple of tensors. The results are graphs when a primal
    or a cotangent is part of one.
    """
    nested = _tracked(primals)
    with recording(on=True):
        xs = _variables(primals)
        out = f(*xs)
    roots = (out,) if isinstance(out, Tensor) else tuple(out)

    def pullback(*cotangents: Any) -> tuple[Tensor, ...]:
        seeds = [graph.seed_of(root, u) for root, u in zip(roots, cotangents, strict=True)]
        return tuple(_pull(roots, seeds, xs, create_graph=nested or _tracked(seeds)))

    return out, pullback


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f(*primals) and its derivative in the direction of the tangents, in the structure of f's output.

    Each tangent has the shape of its primal. The derivative is a graph when a primal or a tangent is part of one.
    """
    nested = _tracked((*primals, *tangents))
    with recording(on=True):
        xs = _variables(primals)
        directions = [graph.seed_of(x, v) for x, v in zip(xs, tangents, strict=True)]
        out = f(*xs)
        roots = (out,) if isinstance(out, Tensor) else tuple(out)
        of = graph.tracked if nested else graph.raw
        moved = graph.push(roots, {x: of(v) for x, v in zip(xs, directions, strict=True)}, of)
    derivatives = tuple(_tensor_like(root, value) for root, value in zip(roots, moved, strict=True))
    return out, derivatives[0] if isinstance(out, Tensor) else derivatives


def hvp(f: Callable[[Tensor], Tensor], x: Any, v: Any) -> Tensor:
    """The Hessian of f, which gives one number, at x times v, forward over reverse: shape of x."""

    def gradient(at: Tensor) -> Tensor:
        value: Tensor = grad(f(at), at, create_graph=True)
        return value

    product: Tensor = jvp(gradient, (x,), (v,))[1]
    return product


def vhp(f: Callable[[Tensor], Tensor], x: Any, v: Any) -> Tensor:
    """The same product by reverse over reverse, which the symmetry of the Hessian makes equal: shape of x."""

    def gradient(at: Tensor) -> Tensor:
        value: Tensor = grad(f(at), at, create_graph=True)
        return value

    return vjp(gradient, x)[1](v)[0]
