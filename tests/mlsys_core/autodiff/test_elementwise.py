"""Functions of one number, the choice between two and the larger of two, against torch, with kinks, ties and infinities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import SEEDS, Case, Table, Trial, hold, in_torch, same

CASES = Table()
UNARY = {
    "exp": (ad.exp, torch.exp, draws.normal),
    "log": (ad.log, torch.log, draws.positive),
    "sqrt": (ad.sqrt, torch.sqrt, draws.positive),
    "sin": (ad.sin, torch.sin, draws.normal),
    "cos": (ad.cos, torch.cos, draws.normal),
    "tanh": (ad.tanh, torch.tanh, draws.normal),
    "sigmoid": (ad.sigmoid, torch.sigmoid, draws.normal),
    "abs": (ad.abs, torch.abs, draws.away),
    "relu": (ad.relu, torch.relu, draws.away),
}


def _enter(name):
    ours, theirs, draw = UNARY[name]

    @CASES.of(ours, name)
    def _(rng):
        return Trial([draw(rng, draws.shape(rng))], ours, theirs)

    @CASES.of(ours, f"{name} used three times")
    def _(rng):
        x = draw(rng, draws.shape(rng))
        return Trial([x], lambda t: ours(t) * ours(t) + t * ours(t), lambda t: theirs(t) * theirs(t) + t * theirs(t))


for _name in UNARY:
    _enter(_name)


@CASES.of(ad.maximum)
def maximum_with_broadcasting(rng):
    full = draws.shape(rng, 1)
    return Trial([draws.normal(rng, draws.narrowed(rng, full)), draws.normal(rng, full)], ad.maximum, torch.maximum)


@CASES.of(ad.maximum)
def maximum_with_ties(rng):
    rows, columns = draws.shape(rng, 2, 2)
    return Trial([draws.integers(rng, (rows, 1)), draws.integers(rng, (columns,))], ad.maximum, torch.maximum)


@CASES.of(ad.maximum)
def maximum_of_one_operand_twice(rng):
    x = draws.integers(rng, draws.shape(rng))
    return Trial([x], lambda t: ad.maximum(t, t), lambda t: torch.maximum(t, t))


@CASES.of(ad.where)
def where_with_broadcasting(rng):
    full = draws.shape(rng, 1)
    mask = rng.random(draws.narrowed(rng, full)) < 0.5
    inputs = [draws.normal(rng, draws.narrowed(rng, full)) for _ in range(2)]
    return Trial(inputs, lambda a, b: ad.where(mask, a, b * a), lambda a, b: torch.where(torch.tensor(mask), a, b * a))


@CASES.of(ad.where)
def where_with_a_mask_that_repeats_both(rng):
    mask = rng.random(draws.shape(rng, 3, 3)) < 0.5
    inputs = [draws.normal(rng, mask.shape[1:]), draws.normal(rng, (mask.shape[0], 1, 1))]
    return Trial(inputs, lambda a, b: ad.where(mask, a, b), lambda a, b: torch.where(torch.tensor(mask), a, b))


@CASES.of(ad.where)
def where_of_one_operand_and_a_number(rng):
    x = draws.normal(rng, draws.shape(rng))
    mask = rng.random(x.shape) < 0.5
    return Trial(
        [x],
        lambda t: ad.where(mask, t, 2.0) * ad.where(Tensor(mask), -1.0, t) + ad.where(mask, t, t),
        lambda t: torch.where(torch.tensor(mask), t, 2.0) * torch.where(torch.tensor(mask), -1.0, t) + t,
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize("shape", draws.EDGES, ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_it_agrees_for_nothing_and_for_one_number(name, shape):
    rng = np.random.default_rng(0)
    ours, theirs, draw = UNARY[name]
    hold(Trial([draw(rng, shape)], ours, theirs), rng)


@pytest.mark.parametrize("name", ["abs", "relu"])
def test_the_slope_at_a_kink_is_the_one_torch_takes(name):
    hold(Trial([np.array([-2.0, 0.0, -0.0, 3.0])], *UNARY[name][:2]), np.random.default_rng(3))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "exp"])
def test_saturated_functions_stay_finite(name):
    x = np.array([-700.0, -40.0, 40.0])[: 2 if name == "exp" else 3]
    hold(Trial([x], *UNARY[name][:2]), np.random.default_rng(4))


def test_the_slope_of_a_root_at_zero_is_infinite():
    x, other = Tensor(np.zeros(2), requires_grad=True), in_torch(np.zeros(2), wanted=True)
    with np.errstate(divide="ignore"):
        ad.sqrt(x).backward(np.ones(2))
    torch.sqrt(other).backward(torch.ones(2, dtype=torch.float64))
    assert np.array_equal(x.grad.numpy(), other.grad.numpy())
    assert np.isposinf(x.grad.numpy()).all()


def test_what_was_not_chosen_gets_no_share_even_where_its_slope_is_infinite():
    x = Tensor(np.array([0.0, 4.0]), requires_grad=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        safe = ad.where(x.numpy() > 0, x, 1.0)
        ad.where(x.numpy() > 0, ad.sqrt(safe), 0.0).backward(np.ones(2))
    same("gradient", x.grad, np.array([0.0, 0.25]))


def test_equal_operands_of_a_maximum_share_evenly():
    a, b = Tensor(np.array([1.0, 2.0]), requires_grad=True), Tensor(np.array([1.0, 3.0]), requires_grad=True)
    ad.maximum(a, b).backward(np.array([10.0, 100.0]))
    same("first", a.grad, np.array([5.0, 0.0]))
    same("second", b.grad, np.array([5.0, 100.0]))
