"""Task 2, public checks: the order, and one sweep at a time. The graphs use the given operations only."""

from __future__ import annotations

import graphs
import numpy as np
import pytest
from answers import all_close, check_order, field, listed
from oracles import complex_step_vjp, last_value

pytestmark = pytest.mark.task("2")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Add a node to the list only after all of its inputs are in it, and remember by id() which nodes you have met.",
    handout="1.9",
)
def test_order_lists_inputs_first(student, rng, expect):
    """topological_order: every node once, inputs before their users"""
    steps = graphs.shared(graphs.graph(rng, leaves=3, length=10), leaves=3)
    got = student.call("listed_order", steps=steps, leaves=graphs.arrays(rng, 3, (2,)), trainable=[True] * 3)
    check_order(expect, got, steps, [True] * 3)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Start with the cotangent at the root, go through the order backwards, and add what each rule returns to its inputs.",
    handout="1.10",
)
def test_backward_of_a_random_expression(student, rng, expect):
    """backward: the gradients of a random expression"""
    shape = graphs.some_shape(rng, 1, 2)
    leaves, steps = graphs.arrays(rng, 3, shape), graphs.graph(rng, leaves=3, length=8)
    cotangent = rng.normal(size=shape)
    sweep = {"root": len(leaves) + len(steps) - 1, "cotangent": cotangent}
    got = student.call("swept", steps=steps, leaves=leaves, trainable=[True] * 3, sweeps=[sweep])
    want = complex_step_vjp(last_value(steps), leaves, cotangent)
    all_close(expect, listed(expect, got, "gradients", 1)[0], want, [f"gradient of leaf {i}" for i in range(3)])


@pytest.mark.hint("A value with two users receives two cotangents; wait for both, and add them.", handout="1.10")
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([["mul", 0, 0]], id="x * x", marks=pytest.mark.points(0.5)),
        pytest.param(
            [["sin", 0], ["exp", 1], ["neg", 1], ["mul", 2, 3]], id="a diamond", marks=pytest.mark.points(0.5)
        ),
    ],
)
def test_uses_add_up(student, rng, expect, steps):
    """backward: one value used twice"""
    x = rng.normal(size=4)
    got = student.call(
        "swept", steps=steps, leaves=[x], trainable=[True], sweeps=[{"root": len(steps), "cotangent": None}]
    )
    want = complex_step_vjp(last_value(steps), [x], np.ones(4))
    all_close(expect, listed(expect, got, "gradients", 1)[0], want, ["gradient of x"])


@pytest.mark.points(1)
@pytest.mark.hint("`.grad` belongs to the leaf, not to one sweep: when it is there already, add to it.", handout="1.10")
def test_a_second_backward_adds(student, rng, expect):
    """backward: a second call adds to .grad"""
    x, first, second = graphs.arrays(rng, 3, (3,))
    steps = [["sin", 0], ["mul", 1, 0]]
    sweeps = [{"root": 2, "cotangent": first}, {"root": 2, "cotangent": second}]
    got = student.call("swept", steps=steps, leaves=[x], trainable=[True], sweeps=sweeps)
    slope = complex_step_vjp(last_value(steps), [x], np.ones(3))[0]
    once, twice = listed(expect, got, "gradients", 2)
    all_close(expect, once, [slope * first], ["gradient after one call"])
    all_close(expect, twice, [slope * (first + second)], ["gradient after two calls"])


@pytest.mark.points(1)
@pytest.mark.hint(
    "A tensor whose requires_grad is false ends the walk: it is not listed, and its .grad stays None.", handout="1.10"
)
def test_constants_get_no_gradient(student, rng, expect):
    """backward: constants and no_grad are respected"""
    x, constant = graphs.arrays(rng, 2, (3,))
    call = {"steps": [["mul", 0, 1]], "leaves": [x, constant], "trainable": [True, False]}
    got = student.call("swept", **call, sweeps=[{"root": 2, "cotangent": None}])
    all_close(
        expect, listed(expect, got, "gradients", 1)[0], [constant, None], ["gradient of x", "gradient of the constant"]
    )
    got = student.call("swept_constant", leaf=x)
    expect.that(
        field(expect, got, "alone") is None,
        "sin(x) made inside no_grad() is a constant, yet x received a gradient from it",
    )
    expect.close(field(expect, got, "beside"), np.sin(x), what="gradient of x in x · c, with c made inside no_grad()")
