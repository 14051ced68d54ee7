"""GELU and SiLU against torch, and dropout against its definition: what is kept is scaled, what is dropped is zero."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import SEEDS, Case, Table, Trial, hold, same

CASES = Table()
SMOOTH = {"gelu": (ad.gelu, lambda x: F.gelu(x, approximate="tanh")), "silu": (ad.silu, F.silu)}


def _enter(name):
    ours, theirs = SMOOTH[name]

    @CASES.of(ours, name)
    def _(rng):
        return Trial([2 * draws.normal(rng, draws.shape(rng))], ours, theirs)

    @CASES.of(ours, f"{name} as a gate of its own input")
    def _(rng):
        x = draws.normal(rng, draws.shape(rng, 1))
        return Trial([x], lambda t: ours(t) * t + ours(ours(t)), lambda t: theirs(t) * t + theirs(theirs(t)))


for _name in SMOOTH:
    _enter(_name)


@CASES.of(ad.dropout)
def dropout(rng):
    x, p, seed = draws.normal(rng, draws.shape(rng)), float(rng.choice([0.1, 0.5, 0.9])), int(rng.integers(1000))
    # the numbers that the operation draws, drawn again
    kept = np.random.default_rng(seed).random(x.shape, dtype=np.float32) >= p
    return Trial(
        [x],
        lambda t: ad.dropout(t, p, np.random.default_rng(seed)),
        lambda t: torch.where(torch.tensor(kept), t / (1 - p), 0.0),
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize("shape", draws.EDGES, ids=str)
@pytest.mark.parametrize("name", SMOOTH)
def test_it_agrees_for_nothing_and_for_one_number(name, shape):
    rng = np.random.default_rng(0)
    hold(Trial([draws.normal(rng, shape)], *SMOOTH[name]), rng)


@pytest.mark.parametrize("name", SMOOTH)
def test_it_agrees_far_from_zero(name):
    hold(Trial([np.array([-1e3, -30.0, -5.0, 0.0, 5.0, 30.0, 1e3])], *SMOOTH[name]), np.random.default_rng(1))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_right_share_and_the_mean(p):
    y = ad.dropout(np.ones(20_000), p, np.random.default_rng(2)).numpy()
    kept = y != 0
    assert np.unique(y[kept]) == pytest.approx(1 / (1 - p))
    # five standard deviations of a binomial share
    assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / y.size)


def test_the_gradient_of_dropout_has_the_mask_of_its_value():
    x = Tensor(np.ones((5, 7)), requires_grad=True)
    y = ad.dropout(x, 0.4, np.random.default_rng(3))
    y.backward(np.ones((5, 7)))
    same("gradient", x.grad, y.numpy())


def test_each_call_drops_something_else():
    rng = np.random.default_rng(4)
    first, second = (ad.dropout(np.ones(100), 0.5, rng).numpy() for _ in range(2))
    assert (first != second).any()


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.7, False)])
def test_dropout_that_drops_nothing_is_the_input_and_draws_nothing(p, training):
    x, rng = Tensor(np.ones(3), requires_grad=True), np.random.default_rng(5)
    assert ad.dropout(x, p, rng, training=training) is x
    assert rng.random() == np.random.default_rng(5).random()


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_a_probability_outside_its_range_is_refused(p):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        ad.dropout(np.ones(3), p, np.random.default_rng(0), training=False)
