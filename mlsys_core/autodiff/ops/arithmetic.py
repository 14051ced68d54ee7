"""Addition, subtraction, multiplication, division, powers, negation.

Idea      The elementary operations with two operands; operands of different shapes are broadcast by numpy's rules, and
          the sweep sums each share back to its operand's shape (`graph.sum_to`).
Equation  d(ab) = b da + a db      d(a/b) = (da - (a/b) db) / b      d(aᵇ) = b aᵇ⁻¹ da + aᵇ ln(a) db
Paper     A. Griewank, A. Walther, "Evaluating Derivatives", SIAM, 2nd ed. 2008, section 2.2.
Cost      One pass over the elements forward; one or two for each operand backward.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsys_core.autodiff.tape import Of, Op, Value
from mlsys_core.autodiff.tensor import Tensor, pair, record, tensor


def plus(a: Value, b: Value) -> Value:
    """The sum of two tangents, of which None is zero."""
    return b if a is None else a if b is None else a + b


def times(tangent: Value, factor: Value) -> Value:
    """A tangent, which may be None for zero, times a factor."""
    return None if tangent is None else tangent * factor


def _add_vjp(g: Value, _: Tensor, _of: Of) -> tuple[Value, ...]:
    return g, g


def _mul_vjp(g: Value, out: Tensor, of: Of) -> tuple[Value, ...]:
    a, b = out.parents
    return g * of(b) if a.requires_grad else None, g * of(a) if b.requires_grad else None


def _mul_jvp(t: list[Value], out: Tensor, of: Of) -> Value:
    a, b = out.parents
    return plus(times(t[0], of(b)), times(t[1], of(a)))


def _div_vjp(g: Value, out: Tensor, of: Of) -> tuple[Value, ...]:
    share = g / of(out.parents[1])
    return share, -(share * of(out)) if out.parents[1].requires_grad else None


def _div_jvp(t: list[Value], out: Tensor, of: Of) -> Value:
    a, b = t
    return plus(a, None if b is None else -(b * of(out))) / of(out.parents[1])


def _pow_slopes(out: Tensor, of: Of) -> tuple[Value, Value]:
    """∂/∂a and ∂/∂b of aᵇ; b = 0 gives slope 0 even at a = 0, and a = 0 gives slope 0 in b, as limits from the right do."""
    a, b = out.parents
    in_base = in_exponent = None
    if a.requires_grad:
        zero = b.data == 0
        if b.requires_grad:
            # where 0 · a⁻¹ is finite it must stay as it is, since its slope in b is a⁻¹
            zero = zero & (a.data == 0)
        in_base = of(b) * of(a) ** (of(b) - 1 + zero if zero.any() else of(b) - 1)
    if b.requires_grad:
        zero = a.data == 0
        in_exponent = of(out) * np.log(of(a) + zero if zero.any() else of(a))
    return in_base, in_exponent


def _pow_vjp(g: Value, out: Tensor, of: Of) -> tuple[Value, ...]:
    in_base, in_exponent = _pow_slopes(out, of)
    return times(in_base, g), times(in_exponent, g)


def _pow_jvp(t: list[Value], out: Tensor, of: Of) -> Value:
    in_base, in_exponent = _pow_slopes(out, of)
    terms = (None if s is None else times(x, s) for x, s in zip(t, (in_base, in_exponent), strict=True))
    return plus(*terms)


ADD = Op("add", _add_vjp, lambda t, _, _of: plus(*t))
SUB = Op(
    "sub",
    lambda g, out, _of: (g, -g if out.parents[1].requires_grad else None),
    lambda t, _, _of: plus(t[0], None if t[1] is None else -t[1]),
)
MUL = Op("mul", _mul_vjp, _mul_jvp)
DIV = Op("div", _div_vjp, _div_jvp)
POW = Op("pow", _pow_vjp, _pow_jvp)
NEG = Op("neg", lambda g, _, _of: (-g,), lambda t, _, _of: -t[0])


def add(a: Any, b: Any) -> Tensor:
    """a + b."""
    if a.__class__ is not Tensor or b.__class__ is not Tensor:
        a, b = pair(a, b)
    return record(ADD, a.data + b.data, (a, b))


def sub(a: Any, b: Any) -> Tensor:
    """a - b."""
    if a.__class__ is not Tensor or b.__class__ is not Tensor:
        a, b = pair(a, b)
    return record(SUB, a.data - b.data, (a, b))


def mul(a: Any, b: Any) -> Tensor:
    """a * b."""
    if a.__class__ is not Tensor or b.__class__ is not Tensor:
        a, b = pair(a, b)
    return record(MUL, a.data * b.data, (a, b))


def div(a: Any, b: Any) -> Tensor:
    """a / b."""
    a, b = pair(a, b)
    return record(DIV, a.data / b.data, (a, b))


def pow(a: Any, b: Any) -> Tensor:  # noqa: A001 - the field's name
    """a ** b; differentiable in both for a > 0, in a alone for constant b."""
    a, b = pair(a, b)
    return record(POW, a.data**b.data, (a, b))


def neg(a: Any) -> Tensor:
    """-a."""
    a = tensor(a)
    return record(NEG, -a.data, (a,))
