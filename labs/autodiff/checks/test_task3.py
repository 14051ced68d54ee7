"""Task 3, public checks: each of the four functions at random points. The order is the tape's, the rules are given ones."""

from __future__ import annotations

import graphs
import numpy as np
import pytest
from answers import all_close, field, listed, number
from oracles import complex_step_jvp, complex_step_vjp, last_value, mixed_gradient

pytestmark = pytest.mark.task("3")

# Finite differences of the student's own gradients stop near 1e-10; exact derivatives agree far beyond this.
TIGHT = {"rtol": 1e-11, "atol": 1e-11}


@pytest.mark.points(1)
@pytest.mark.hint(
    "Sweep as in `backward`, but return the cotangents of `inputs` as Tensors instead of storing them.", handout="1.11"
)
def test_grad_of_a_random_expression(student, rng, expect):
    """grad: the gradients of a random expression"""
    leaves, steps = graphs.arrays(rng, 3, (2, 3)), graphs.graph(rng, leaves=3, length=8)
    cotangent = rng.normal(size=(2, 3))
    got = student.call("gradients", steps=steps, leaves=leaves, wanted=[2, 0, 1], cotangent=cotangent)
    want = complex_step_vjp(last_value(steps), leaves, cotangent)
    names = [f"gradient of leaf {i}" for i in (2, 0, 1)]
    all_close(expect, field(expect, got, "gradients"), [want[2], want[0], want[1]], names)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Record while you sweep: with create_graph=True, `recording(True)` is on around every call of a rule.",
    handout="1.11",
)
def test_grad_of_grad(student, rng, expect):
    """grad of grad: the second derivative of sin(x) · exp(x)"""
    x = rng.normal(size=4)
    steps = [["sin", 0], ["exp", 0], ["mul", 1, 2]]
    got = student.call("repeated_gradients", steps=steps, leaves=[x], path=[0, 0], cotangents=[None, None])
    expect.close(got, 2 * np.cos(x) * np.exp(x), what="second derivative", **TIGHT)


@pytest.mark.points(1)
@pytest.mark.hint("The pullback of y = Mx is Mᵀȳ; it gives one Tensor for each primal, in their order.", handout="1.11")
def test_vjp(student, rng, expect):
    """vjp: value and pullback of a function of two vectors"""
    x, y = graphs.arrays(rng, 2, (3,))
    steps = [["mul", 0, 1], ["linear", 2, rng.normal(size=(5, 3))], ["sin", 3]]
    cotangent = rng.normal(size=5)
    got = student.call("pulled_back", steps=steps, primals=[x, y], cotangents=[cotangent])
    expect.close(field(expect, got, "output"), last_value(steps)(x, y), what="value")
    want = complex_step_vjp(last_value(steps), [x, y], cotangent)
    all_close(expect, listed(expect, got, "pulled", 1)[0], want, ["pullback to x", "pullback to y"], **TIGHT)


@pytest.mark.points(1)
@pytest.mark.hint(
    "The tangent has the output's shape: J·t, not Jᵀ·t. The pullback is linear in its cotangent; pull back through that.",
    handout="1.12",
)
def test_jvp(student, rng, expect):
    """jvp: the derivative along a direction"""
    x, tangent = graphs.arrays(rng, 2, (3,))
    steps = [["linear", 0, rng.normal(size=(5, 3))], ["sin", 1], ["exp", 2]]
    got = student.call("pushed_forward", steps=steps, primals=[x], tangents=[tangent])
    expect.close(field(expect, got, "output"), last_value(steps)(x), what="value")
    expect.close(
        field(expect, got, "tangent"), complex_step_jvp(last_value(steps), [x], [tangent]), what="tangent", **TIGHT
    )


@pytest.mark.points(1)
@pytest.mark.hint(
    "Differentiate ⟨∇f(x), v⟩ once more: v is the cotangent of the gradient, and the gradient must still be a graph.",
    handout="1.13",
)
def test_hvp(student, rng, expect):
    """hvp: a Hessian times a vector"""
    x, v = graphs.arrays(rng, 2, (4,))
    steps = graphs.scalar_function(rng, size=4, hidden=3, layers=1)
    got = student.call("hessian_product", steps=steps, x=x, v=v)
    expect.close(got, mixed_gradient(steps, [x], np.ones(1), inner=0, direction=v, outer=0), what="H v", **TIGHT)


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "Count the products: one evaluation of f, one for the gradient, and a sweep through both.", handout="1.17"
)
def test_prediction_of_operations(student, rng, expect, measure):
    """Operations of a Hessian-vector product, as predicted and as counted"""
    n, h = int(rng.integers(30, 60)), int(rng.integers(60, 90))
    said = student.call("predicted", function="predict_hvp_operations", arguments={"n": n, "h": h})
    predicted = number(expect, said, "the prediction")
    steps, (x, v) = graphs.scalar_function(rng, size=n, hidden=h, layers=2), graphs.arrays(rng, 2, (n,))
    got = student.call("hessian_product_cost", steps=steps, x=x, v=v)
    want = mixed_gradient(steps, [x], np.ones(1), inner=0, direction=v, outer=0)
    expect.close(field(expect, got, "value"), want, what="H v", rtol=1e-10, atol=1e-10)
    counted = number(expect, field(expect, got, "product"), "the count")
    expect.that(counted >= 2 * (h * n + h * h + h), "fewer operations were counted than f alone takes")
    measure.prediction("the operations of hvp", predicted, counted, tolerance=0.15)
