"""Task 3, hidden checks: what grad promises besides values, higher orders, and the cost of a Hessian-vector product."""

from __future__ import annotations

import graphs
import numpy as np
import pytest
from answers import all_close, field, listed
from oracles import complex_step_jvp, complex_step_vjp, last_value, mixed_gradient, third_gradient

pytestmark = [pytest.mark.task("3"), pytest.mark.hidden]

TIGHT = {"rtol": 1e-11, "atol": 1e-11}


@pytest.mark.points(1)
@pytest.mark.hint(
    "Return zeros of the input's own shape where nothing flows, keep .grad out of it, and record only when asked to.",
    handout="1.11",
)
def test_what_grad_returns(student, rng, expect):
    """grad: inner nodes, unconnected inputs, create_graph, and .grad untouched"""
    x, y = rng.normal(size=3), rng.normal(size=(2, 2))
    steps = [["sin", 0], ["mul", 2, 0], ["mul", 3, 2]]
    cotangent = rng.normal(size=3)
    wanted = [2, 1, 0, 4, 2]
    for create_graph in (True, False):
        got = student.call(
            "gradients", steps=steps, leaves=[x, y], wanted=wanted, cotangent=cotangent, create_graph=create_graph
        )
        inner = 2 * np.sin(x) * x * cotangent
        leaf = (2 * np.sin(x) * x * np.cos(x) + np.sin(x) ** 2) * cotangent
        names = [
            "gradient of an inner node",
            "gradient of an unconnected leaf",
            "gradient of a leaf",
            "gradient of the output itself",
        ]
        all_close(
            expect,
            field(expect, got, "gradients"),
            [inner, np.zeros((2, 2)), leaf, cotangent, inner],
            [*names, names[0]],
        )
        expect.that(field(expect, got, "grad_untouched") is True, "grad changed the .grad of a node")
        recorded = listed(expect, got, "recorded", len(wanted))
        expect.equal(recorded[2], create_graph, what=f"requires_grad of the gradient with create_graph={create_graph}")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Make a fresh input for each primal, so that the same tensor in two positions is two inputs; nothing is used up by a pullback.",
    handout="1.11",
)
def test_pullbacks(student, rng, expect):
    """vjp: the same tensor twice, a pullback called again, and a primal inside a graph"""
    x = rng.normal(size=3)
    steps = [["sin", 1], ["mul", 0, 2], ["linear", 3, rng.normal(size=(2, 3))]]
    cotangents = graphs.arrays(rng, 3, (2,))
    got = student.call("pulled_back", steps=steps, primals=[x, x], cotangents=cotangents, same=True)
    pulled = listed(expect, got, "pulled", len(cotangents))
    for parts, cotangent in zip(pulled, cotangents, strict=True):
        want = complex_step_vjp(last_value(steps), [x, x], cotangent)
        all_close(expect, parts, want, ["pullback to the first position", "pullback to the second position"], **TIGHT)
    steps = graphs.graph(rng, leaves=1, length=5)
    cotangent, direction = graphs.arrays(rng, 2, (3,))
    got = student.call("pullback_of_node", steps=steps, x=x, cotangent=cotangent, direction=direction)
    want = 2 * mixed_gradient(steps, [2 * x], cotangent, inner=0, direction=direction, outer=0)
    expect.close(got, want, what="gradient with respect to x of ⟨u, pullback at 2x⟩", rtol=1e-10, atol=1e-10)


@pytest.mark.points(1)
@pytest.mark.hint("Add the contributions of all primals; and ⟨u, J t⟩ = ⟨Jᵀu, t⟩ for every u and t.", handout="1.12")
def test_jvp_of_several_inputs(student, rng, expect):
    """jvp: several inputs, and its agreement with vjp"""
    for outputs in (2, 4):
        leaves, tangents = graphs.arrays(rng, 3, (4,)), graphs.arrays(rng, 3, (4,))
        steps = graphs.graph(rng, leaves=3, length=8)
        steps.append(["linear", 2 + len(steps), rng.normal(size=(outputs, 4))])
        got = student.call("pushed_forward", steps=steps, primals=leaves, tangents=tangents)
        tangent, u = field(expect, got, "tangent"), rng.normal(size=outputs)
        expect.close(tangent, complex_step_jvp(last_value(steps), leaves, tangents), what="tangent", **TIGHT)
        pulled = listed(expect, student.call("pulled_back", steps=steps, primals=leaves, cotangents=[u]), "pulled", 1)[
            0
        ]
        all_close(expect, pulled, complex_step_vjp(last_value(steps), leaves, u), ["pullback"] * 3, **TIGHT)
        adjoint = sum(float(np.sum(p * t)) for p, t in zip(pulled, tangents, strict=True))
        expect.close(float(u @ tangent), adjoint, what="⟨u, J t⟩, against ⟨Jᵀu, t⟩", **TIGHT)


@pytest.mark.points(1)
@pytest.mark.hint(
    "The gradient is a function of leaves and cotangent alike; nothing on its way may leave the graph.", handout="1.11"
)
def test_gradients_of_gradients(student, rng, expect):
    """grad of grad: random graphs, random cotangents, every pair of inputs"""
    leaves, steps = graphs.arrays(rng, 2, (3,)), graphs.graph(rng, leaves=2, length=7)
    cotangent, direction = graphs.arrays(rng, 2, (3,))
    for inner in (0, 1):
        for outer in (0, 1):
            call = {"path": [inner, outer], "cotangents": [cotangent, direction]}
            got = student.call("repeated_gradients", steps=steps, leaves=leaves, **call)
            want = mixed_gradient(steps, leaves, cotangent, inner=inner, direction=direction, outer=outer)
            expect.close(got, want, what=f"∂/∂x{outer} of ⟨u, ∂y/∂x{inner}⟩", rtol=1e-10, atol=1e-10)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Each derivative is a graph again, so a third and a fourth work like the first; ∂²/∂x∂y and ∂²/∂y∂x agree.",
    handout="1.11",
)
def test_higher_orders_and_symmetry(student, rng, expect):
    """grad: derivatives up to the fourth, and mixed partials that agree"""
    x = np.asarray(rng.normal())
    steps = [["exp", 0], ["sin", 0], ["mul", 1, 2]]
    got = student.call("repeated_gradients", steps=steps, leaves=[x], path=[0] * 4, cotangents=[None] * 4)
    expect.close(got, -4 * np.exp(x) * np.sin(x), what="fourth derivative of exp(x) · sin(x)", **TIGHT)
    leaves, steps = (
        graphs.arrays(rng, 2, (3,)),
        [["mul", 0, 1], ["linear", 2, rng.normal(size=(3, 3))], ["sin", 3], ["mul", 4, 0]],
    )
    cotangent, u, v = graphs.arrays(rng, 3, (3,))
    first = student.call("repeated_gradients", steps=steps, leaves=leaves, path=[0, 1], cotangents=[cotangent, u])
    second = student.call("repeated_gradients", steps=steps, leaves=leaves, path=[1, 0], cotangents=[cotangent, v])
    expect.close(
        first,
        mixed_gradient(steps, leaves, cotangent, inner=0, direction=u, outer=1),
        what="∂/∂y of ⟨u, ∂/∂x⟩",
        **TIGHT,
    )
    expect.close(float(v @ first), float(u @ np.asarray(second)), what="vᵀ(∂²/∂y∂x)u, against uᵀ(∂²/∂x∂y)v", **TIGHT)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Pushing v through the gradient, and pulling v back through it, give the same: the Hessian is symmetric.",
    handout="1.13",
)
def test_two_ways_to_a_hessian_product(student, rng, expect):
    """hvp: reverse over reverse and forward over reverse agree"""
    size = int(rng.integers(4, 8))
    x, v = graphs.arrays(rng, 2, (size,))
    steps = graphs.scalar_function(rng, size=size, hidden=5, layers=2)
    want = mixed_gradient(steps, [x], np.ones(1), inner=0, direction=v, outer=0)
    expect.close(student.call("hessian_product", steps=steps, x=x, v=v), want, what="H v from hvp", **TIGHT)
    forward = student.call("hessian_product_forward_over_reverse", steps=steps, x=x, v=v)
    expect.close(forward, want, what="H v as the jvp of the gradient", **TIGHT)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Connect the point to what it came from (fresh_input does), and leave the product a graph.", handout="1.13"
)
def test_a_hessian_product_is_a_graph(student, rng, expect):
    """hvp: at a node of a bigger graph, differentiated once more"""
    x, v, u = graphs.arrays(rng, 3, (4,))
    steps = graphs.scalar_function(rng, size=4, hidden=3, layers=1)
    got = student.call("hessian_product_of_node", steps=steps, x=x, v=v, u=u)
    expect.close(got, 2 * third_gradient(steps, 2 * x, np.ones(1), u, v), what="gradient of ⟨u, H(2x) v⟩", **TIGHT)


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "Two sweeps are enough: one for the gradient, one through it. Building the Hessian's rows costs as many sweeps as x has entries.",
    handout="1.13",
)
def test_cost_of_a_hessian_product(student, rng, expect, measure):
    """Operations of hvp, as a multiple of one evaluation of f"""
    size = int(rng.integers(40, 60))
    x, v = graphs.arrays(rng, 2, (size,))
    steps = graphs.scalar_function(rng, size=size, hidden=2 * size, layers=2)
    got = student.call("hessian_product_cost", steps=steps, x=x, v=v)
    want = mixed_gradient(steps, [x], np.ones(1), inner=0, direction=v, outer=0)
    expect.close(field(expect, got, "value"), want, what="H v", rtol=1e-10, atol=1e-10)
    once, product = field(expect, got, "function"), field(expect, got, "product")
    expect.that(type(once) is int and type(product) is int and once > 0, "the operations could not be counted")
    expect.that(
        product >= 2 * once,
        "fewer operations were counted than the gradient of f alone takes; run f through the engine",
    )
    measure.ratio("operations of hvp / operations of f", product / once, full_at=6.0, zero_at=20.0)
