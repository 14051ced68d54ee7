"""Task 1, public checks: each rule once, at random shapes, with a random cotangent."""

from __future__ import annotations

import numpy as np
import pytest
from answers import all_close, field
from cases import CASES, names_of
from oracles import FORWARD, complex_step_vjp

pytestmark = pytest.mark.task("1")

HINTS = {
    "sub": ("Where b grows, a − b falls: its cotangent changes sign.", "1.4"),
    "div": ("∂(a/b)/∂a = 1/b and ∂(a/b)/∂b = −a/b² = −y/b.", "1.4"),
    "pow": ("The derivative of xⁿ is n·xⁿ⁻¹, and the cotangent multiplies it.", "1.4"),
    "log": ("The derivative of ln x is 1/x.", "1.4"),
    "tanh": ("The derivative of tanh is 1 − y², with y the output that the rule receives.", "1.4"),
    "broadcast_to": (
        "The adjoint of a copy is a sum: sum over the new axes in front and over every axis that was stretched from size 1.",
        "1.5",
    ),
    "sum": (
        "The adjoint of a sum is a copy: bring the reduced axis back as size 1, then broadcast to the input's shape.",
        "1.5",
    ),
    "max": ("Only the element that won moves the maximum, so it alone receives the cotangent.", "1.6"),
    "transpose": ("Undo the permutation: the inverse of (1, 2, 0) is (2, 0, 1), not (1, 2, 0) again.", "1.7"),
    "getitem": ("Each cotangent goes back to the place it was read from; everywhere else the gradient is zero.", "1.7"),
    "matmul": ("Fit the shapes: the gradient of A is ȳ·Bᵀ, that of B is Aᵀ·ȳ.", "1.7"),
    "softmax": (
        "Subtract Σ ȳⱼyⱼ along the axis before you multiply by y: every output depends on every input of its slice.",
        "1.8",
    ),
    "logsumexp": ("The derivative of logsumexp is the softmax, exp(x − y), over the same axes.", "1.8"),
    "layer_norm": (
        "The mean and the variance depend on x too; each adds one term with a mean over the last axis.",
        "1.8",
    ),
}
RULES = [pytest.param(op, id=op, marks=pytest.mark.hint(text, handout=at)) for op, (text, at) in HINTS.items()]


@pytest.mark.points(0.5)
@pytest.mark.parametrize("op", RULES)
def test_rule(student, rng, expect, op):
    """Rule at a random shape"""
    inputs, parameters = CASES[op](rng)

    def forward(*arrays):
        return FORWARD[op](*arrays, **parameters)

    cotangent = np.asarray(rng.normal(size=np.shape(forward(*inputs))))
    got = student.call("rule", op=op, inputs=inputs, cotangent=cotangent, parameters=parameters)
    all_close(expect, field(expect, got, "gradients"), complex_step_vjp(forward, inputs, cotangent), names_of(op))
