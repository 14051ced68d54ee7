"""A recorded expression, and its gradient, compiled into one loop: numpy's and torch's values, and no memory between."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core import autodiff as ad
from mlsys_core.compiler.build import build
from mlsys_core.compiler.from_autodiff import definition_of, fused
from mlsys_core.compiler.interpreter import reference, run

UNARY = {
    "exp": ad.exp, "tanh": ad.tanh, "sigmoid": ad.sigmoid, "relu": ad.relu, "abs": ad.abs, "neg": lambda a: -a,
    "shifted": lambda a: 2.0 - a, "log": lambda a: ad.log(ad.abs(a) + 0.5), "sqrt": lambda a: ad.sqrt(a * a + 1.0),
}  # fmt: skip
BINARY = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b * b + 1.0), "maximum": ad.maximum,
}  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([(3,), (2, 5), (1, 4), (2, 3, 2), (2, 1, 3, 2)]), st.integers(0, 99))
def test_random_expressions_become_one_loop_nest(data, shape, seed):
    rng = np.random.default_rng(seed)
    x = ad.Tensor(rng.standard_normal(shape), requires_grad=True)
    row = ad.Tensor(rng.standard_normal(shape[-1:]), requires_grad=True)
    built = [x, row]
    for _ in range(data.draw(st.integers(1, 7))):
        a, b = data.draw(st.sampled_from(built)), data.draw(st.sampled_from(built))
        built.append(
            data.draw(st.sampled_from(sorted(UNARY)).map(UNARY.get))(a)
            if data.draw(st.booleans())
            else data.draw(st.sampled_from(sorted(BINARY)).map(BINARY.get))(a, b)
        )
    result, inputs = built[-1], {"x": x, "row": row}
    tensor = definition_of(result, inputs)
    values = {name: leaf.data for name, leaf in inputs.items()}
    np.testing.assert_allclose(reference(tensor, values), result.data, rtol=1e-12, atol=1e-12)
    program = fused(tensor).lower()
    assert program.workspaces == ()
    np.testing.assert_allclose(run(program, values)["result"], result.data, rtol=1e-12, atol=1e-12)


def test_a_gradient_is_compiled_like_any_expression(folder, held):
    """Of tanh(x w + b) x, with a random cotangent, against torch."""
    rng = np.random.default_rng(5)
    drawn = {name: rng.standard_normal((7, 9) if name in "xg" else (9,)) for name in "xwbg"}
    x, w, b, g = (ad.Tensor(value, requires_grad=True) for value in drawn.values())
    (ad.tanh(x * w + b) * x).backward(g, create_graph=True)
    schedule = fused(definition_of(x.grad, {"x": x, "w": w, "b": b, "g": g}, "dx"))
    schedule["dx"].vectorize("j")
    (kernel,) = build(schedule.lower("gradient"), folder=folder)
    tx, tw, tb = (torch.from_numpy(drawn[name]).requires_grad_() for name in "xwb")
    (torch.tanh(tx * tw + tb) * tx).backward(torch.from_numpy(drawn["g"]))
    held("compiled gradient, float64", "torch.autograd", kernel(**drawn)["dx"], tx.grad, 1e-13)


def test_what_is_not_of_elements_or_has_no_name_is_refused():
    x = ad.Tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(ValueError, match="sum is no operation on elements"):
        definition_of(x.sum() * 2.0, {"x": x})
    with pytest.raises(ValueError, match=r"leaf of shape \(2, 3\) .* name it among the inputs"):
        definition_of(x * np.ones((2, 3)), {"x": x})
    with pytest.raises(ValueError, match="nothing was recorded"):
        definition_of(x, {"x": x})
