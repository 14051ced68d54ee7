"""Softmax and its relatives against torch over random axes, and where exponentials overflow, vanish or are all masked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import SEEDS, Case, Table, Trial, hold, same

CASES = Table()
BOTH = {"softmax": (ad.softmax, torch.softmax), "log_softmax": (ad.log_softmax, torch.log_softmax)}


def _enter(name):
    ours, theirs = BOTH[name]

    @CASES.of(ours, name)
    def _(rng):
        x = draws.normal(rng, draws.shape(rng, 1))
        axis = int(rng.integers(-x.ndim, x.ndim))
        return Trial([x], lambda t: ours(t, axis), lambda t: theirs(t, axis))

    @CASES.of(ours, f"{name} of its own output")
    def _(rng):
        x = draws.normal(rng, draws.shape(rng, 2))
        return Trial([x], lambda t: ours(ours(t) * t, 0), lambda t: theirs(theirs(t, -1) * t, 0))

    @CASES.of(ours, f"{name} of large numbers")
    def _(rng):
        x = 300 * rng.standard_normal((3, 4)) + 1000 * rng.choice([-1, 1])
        return Trial([x], ours, lambda t: theirs(t, -1))


for _name in BOTH:
    _enter(_name)


@CASES.of(ad.logsumexp)
def logsumexp(rng):
    x = draws.normal(rng, draws.shape(rng, 1))
    keepdims = bool(rng.integers(2))
    axis = tuple(int(i) for i in rng.permutation(x.ndim)[: rng.integers(1, x.ndim + 1)])
    axis = [axis, axis[0] - x.ndim][rng.integers(2)]
    return Trial([x], lambda t: ad.logsumexp(t, axis, keepdims=keepdims), lambda t: torch.logsumexp(t, axis, keepdims))


@CASES.of(ad.logsumexp)
def logsumexp_of_everything(rng):
    x = draws.normal(rng, draws.shape(rng))
    return Trial([x], ad.logsumexp, lambda t: torch.logsumexp(t, tuple(range(t.ndim))))


@CASES.of(ad.logsumexp)
def logsumexp_of_large_numbers(rng):
    x = 300 * rng.standard_normal((3, 4)) + 1000 * rng.choice([-1, 1])
    return Trial([x], lambda t: ad.logsumexp(t, 0), lambda t: torch.logsumexp(t, 0))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize(
    ("shape", "axis"), [((3, 0), 1), ((3, 0), 0), ((0,), 0), ((2, 0, 3), -1), ((), -1), ((), 0), ((1,), 0)]
)
@pytest.mark.parametrize("name", BOTH)
def test_it_agrees_for_nothing_and_for_one_number(name, shape, axis):
    ours, theirs = BOTH[name]
    hold(Trial([np.ones(shape)], lambda t: ours(t, axis), lambda t: theirs(t, axis)), np.random.default_rng(0))


@pytest.mark.parametrize(("shape", "axis"), [((3, 0), 0), ((0, 2), 1), ((), ()), ((1, 1), (0, 1))])
def test_logsumexp_agrees_for_nothing_and_for_one_number(shape, axis):
    trial = Trial([np.ones(shape)], lambda t: ad.logsumexp(t, axis), lambda t: torch.logsumexp(t, axis))
    hold(trial, np.random.default_rng(0))


def test_the_logarithm_of_an_empty_sum_is_minus_infinity():
    assert np.isneginf(ad.logsumexp(Tensor(np.ones((2, 0))), 1).numpy()).all()


@pytest.mark.parametrize("name", ["softmax", "logsumexp"])
def test_masked_entries_weigh_nothing_and_get_no_gradient(name):
    ours = {"softmax": ad.softmax, "logsumexp": lambda t: ad.logsumexp(t, -1)}[name]
    theirs = {"softmax": lambda t: torch.softmax(t, -1), "logsumexp": lambda t: torch.logsumexp(t, -1)}[name]
    x = np.array([[0.3, -np.inf, 1.0], [-np.inf, 2.0, -np.inf]])
    xs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    ys = ours(xs[0]), theirs(xs[1])
    u = np.random.default_rng(0).standard_normal(ys[0].shape)
    same("value", ys[0], ys[1])
    same("gradient", ad.grad(ys[0], xs[0], u), torch.autograd.grad(ys[1], xs[1], torch.tensor(u))[0])
    assert (ad.grad(ys[0], xs[0], u).numpy()[np.isneginf(x)] == 0).all()


def test_the_logarithm_of_a_masked_weight_is_minus_infinity():
    y = ad.log_softmax(Tensor(np.array([0.0, -np.inf, 0.0])))
    assert np.array_equal(y.numpy(), [-np.log(2), -np.inf, -np.log(2)])


def test_logsumexp_of_a_row_that_is_masked_altogether_is_minus_infinity():
    y = ad.logsumexp(Tensor(np.array([[-np.inf, -np.inf], [0.0, -np.inf]])), 1)
    assert np.array_equal(y.numpy(), [-np.inf, 0.0])


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_sum_to_one_and_gradients_to_zero(seed):
    rng = np.random.default_rng(seed)
    x = Tensor(draws.normal(rng, (3, 5)), requires_grad=True)
    y = ad.softmax(x, 0)
    y.backward(rng.standard_normal((3, 5)))
    same("sum of weights", y.numpy().sum(axis=0), np.ones(5))
    same("sum of gradients", x.grad.numpy().sum(axis=0), np.zeros(5))
