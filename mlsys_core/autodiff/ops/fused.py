"""Fusion with a definition: one operation that computes fast what a composition of operations defines.

Idea      A fused operation saves records, temporaries and passes over memory. It keeps its composition as its definition:
          numbers come from the fused rules, and derivatives that must be graphs (second order and higher) or tangents
          come from differentiating the definition, so one hand-written rule an operation is enough.
Equation  y = fused(x) = definition(x) for all x; tests hold both the values and the derivatives equal.
Paper     J. Bradbury et al., JAX (2018), `custom_vjp`; the composition as the meaning of the fused kernel.
Cost      First order: that of the fused rule. Higher orders: that of the definition.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from mlsys_core.autodiff import graph
from mlsys_core.autodiff.ops.shape import alias
from mlsys_core.autodiff.tape import Of, Op, Value, recording
from mlsys_core.autodiff.tensor import Tensor

Definition: TypeAlias = Callable[..., Tensor]


def fused(name: str, definition: Definition, vjp: Callable[[Any, Tensor], tuple[Any, ...]]) -> Op:
    """An operation of which vjp(cotangent, output) is the rule on arrays.

    `saved` of its outputs begins with the tuple of parameters that follow the tensors in the definition's arguments.
    """

    def either_vjp(g: Value, out: Tensor, _of: Of) -> tuple[Value, ...]:
        return _vjp_of_definition(definition, g, out) if isinstance(g, Tensor) else vjp(g, out)

    return Op(name, either_vjp, lambda t, out, of: _jvp_of_definition(definition, t, out, of))


def _vjp_of_definition(definition: Definition, g: Tensor, out: Tensor) -> tuple[Value, ...]:
    inputs = [alias(x) for x in out.parents]
    again = definition(*inputs, *out.saved[0])
    return tuple(graph.gradients([again], [g], inputs, graph.tracked, stop=True))


def _jvp_of_definition(definition: Definition, t: list[Value], out: Tensor, of: Of) -> Value:
    with recording(on=True):
        if of is graph.tracked:
            inputs = [alias(x) for x in out.parents]
        else:
            inputs = [Tensor(x.data, requires_grad=x.requires_grad) for x in out.parents]
        again = definition(*inputs, *out.saved[0])
        given = {x: tangent for x, tangent in zip(inputs, t, strict=True) if tangent is not None}
        return graph.push([again], given, of)[0]
