"""Sums, means and maxima over random axes against torch; ties, numbers, and nothing to reduce."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import SEEDS, Case, Table, Trial, hold, same

CASES = Table()
REDUCTIONS = {"sum": (ad.sum, torch.sum), "mean": (ad.mean, torch.mean), "max": (ad.max, torch.amax)}


def axes(rng: np.random.Generator, ndim: int) -> int | tuple[int, ...] | None:
    """No axis, one from either end, or several in any order."""
    kind = rng.integers(3)
    if kind == 0 or ndim == 0:
        return None
    if kind == 1:
        return int(rng.integers(-ndim, ndim))
    chosen = rng.permutation(ndim)[: rng.integers(1, ndim + 1)]
    return tuple(int(i) - ndim * int(rng.integers(2)) for i in chosen)


def reduced(name: str, rng: np.random.Generator, x: draws.Array) -> Trial:
    """A reduction over random axes in both worlds."""
    ours, theirs = REDUCTIONS[name]
    axis, keepdims = axes(rng, x.ndim), bool(rng.integers(2))
    dim = tuple(range(x.ndim)) if axis is None else axis
    return Trial([x], lambda t: ours(t, axis, keepdims=keepdims), lambda t: theirs(t, dim=dim, keepdim=keepdims))


def _enter(name):
    @CASES.of(REDUCTIONS[name][0], name)
    def _(rng):
        return reduced(name, rng, draws.normal(rng, draws.shape(rng)))

    @CASES.of(REDUCTIONS[name][0], f"{name} with ties")
    def _(rng):
        return reduced(name, rng, draws.integers(rng, draws.shape(rng, 1)))


for _name in REDUCTIONS:
    _enter(_name)


@CASES.of(ad.sum)
def sums_of_products_with_themselves(rng):
    x = draws.normal(rng, draws.shape(rng, 2))
    return Trial([x], lambda t: (t * t.sum(-1, keepdims=True)).mean(0), lambda t: (t * t.sum(-1, True)).mean(0))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize(("shape", "axis"), [((0,), 0), ((3, 0), 1), ((3, 0), 0), ((2, 0, 3), (0, 1)), ((0, 2), None)])
def test_the_sum_of_nothing_is_zero(shape, axis):
    trial = Trial([np.ones(shape)], lambda t: ad.sum(t, axis), lambda t: torch.sum(t, axis))
    hold(trial, np.random.default_rng(0))


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("axis", [0, -1, None])
def test_a_number_reduces_to_itself(name, axis):
    ours, theirs = REDUCTIONS[name]
    trial = Trial([np.array(3.0)], lambda t: ours(t, axis), lambda t: theirs(t, dim=() if axis is None else axis))
    hold(trial, np.random.default_rng(1))


def test_the_mean_of_nothing_is_not_a_number():
    with np.errstate(invalid="ignore"):
        assert np.isnan(ad.mean(Tensor(np.ones((2, 0))), 1).numpy()).all()


def test_there_is_no_maximum_of_nothing():
    with pytest.raises(ValueError, match="zero-size"):
        ad.max(Tensor(np.ones((2, 0)), requires_grad=True), 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_of_tied_maxima_sum_to_the_cotangent(seed):
    rng = np.random.default_rng(seed)
    x, u = Tensor(draws.integers(rng, (4, 7)), requires_grad=True), rng.standard_normal(4)
    ad.max(x, 1).backward(u)
    same("sum of shares", x.grad.numpy().sum(axis=1), u)
    assert ((x.grad.numpy() != 0) == (x.numpy() == x.numpy().max(axis=1, keepdims=True))).all()


@pytest.mark.parametrize("name", REDUCTIONS)
def test_methods_are_the_functions(name):
    x = Tensor(np.arange(12.0).reshape(3, 4))
    want = REDUCTIONS[name][0](x, (0, 1), keepdims=True)
    same(name, getattr(x, name)((0, 1), keepdims=True), want.numpy())


@pytest.mark.parametrize("name", REDUCTIONS)
def test_an_axis_that_does_not_exist_is_refused(name):
    with pytest.raises(np.exceptions.AxisError):
        REDUCTIONS[name][0](Tensor(np.ones((2, 3)), requires_grad=True), 2)
