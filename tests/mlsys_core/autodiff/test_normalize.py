"""Layer and root-mean-square normalisation against torch, with and without scale and shift, and for rows of one value."""

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


def _drawn(rng) -> tuple[draws.Array, int, float]:
    """Rows, their length, and an epsilon large enough to be missed."""
    x = draws.normal(rng, draws.shape(rng, 1))
    return x, x.shape[-1], float(rng.choice([1e-5, 1e-2, 0.5]))


@CASES.of(ad.layer_norm)
def layer_norm(rng):
    x, d, eps = _drawn(rng)
    inputs = [x, draws.normal(rng, (d,)), draws.normal(rng, (d,))]
    return Trial(inputs, lambda x, w, b: ad.layer_norm(x, w, b, eps), lambda x, w, b: F.layer_norm(x, (d,), w, b, eps))


@CASES.of(ad.layer_norm)
def layer_norm_without_scale_and_shift(rng):
    x, d, _ = _drawn(rng)
    return Trial([x], ad.layer_norm, lambda x: F.layer_norm(x, (d,)))


@CASES.of(ad.layer_norm)
def layer_norm_of_its_own_scale(rng):
    x = draws.normal(rng, (4,))
    return Trial([x], lambda x: ad.layer_norm(x, x, x), lambda x: F.layer_norm(x, (4,), x, x))


@CASES.of(ad.rms_norm)
def rms_norm(rng):
    x, d, eps = _drawn(rng)
    inputs = [x, draws.normal(rng, (d,))]
    return Trial(inputs, lambda x, w: ad.rms_norm(x, w, eps), lambda x, w: F.rms_norm(x, (d,), w, eps))


@CASES.of(ad.rms_norm)
def rms_norm_without_a_scale(rng):
    x, d, _ = _drawn(rng)
    return Trial([x], ad.rms_norm, lambda x: F.rms_norm(x, (d,), eps=1e-6))


@CASES.of(ad.rms_norm)
def rms_norm_of_its_own_scale(rng):
    x = draws.normal(rng, (4,))
    return Trial([x], lambda x: ad.rms_norm(x, x), lambda x: F.rms_norm(x, (4,), x, 1e-6))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize("shape", [(0, 4), (2, 0, 4), (1, 1)])
def test_it_agrees_for_no_rows_and_for_one_number(shape):
    rng = np.random.default_rng(0)
    w = rng.standard_normal(shape[-1])
    hold(Trial([np.ones(shape), w], ad.layer_norm, lambda x, w: F.layer_norm(x, w.shape, w)), rng)
    hold(Trial([np.ones(shape), w], ad.rms_norm, lambda x, w: F.rms_norm(x, w.shape, w, 1e-6)), rng)


def test_rows_of_one_value_are_held_by_epsilon():
    rng = np.random.default_rng(1)
    rows = np.array([[3.0, 3.0, 3.0], [0.0, 0.0, 0.0]])
    hold(Trial([rows], lambda x: ad.layer_norm(x, eps=0.01), lambda x: F.layer_norm(x, (3,), eps=0.01)), rng)
    hold(Trial([rows], lambda x: ad.rms_norm(x, eps=0.01), lambda x: F.rms_norm(x, (3,), eps=0.01)), rng)


def test_a_layer_norm_does_not_see_an_offset_of_its_row():
    x = np.random.default_rng(2).standard_normal((3, 6))
    same("value", ad.layer_norm(Tensor(x + 1e3)), ad.layer_norm(Tensor(x)).numpy())


@pytest.mark.parametrize("which", [0, 1, 2])
def test_parameters_that_need_no_gradient_get_none(which):
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal((2, 4)), rng.standard_normal(4), rng.standard_normal(4)]
    ours = [Tensor(x, requires_grad=i == which) for i, x in enumerate(arrays)]
    theirs = [torch.tensor(x, requires_grad=i == which) for i, x in enumerate(arrays)]
    u = rng.standard_normal((2, 4))
    ad.layer_norm(*ours).backward(u)
    F.layer_norm(theirs[0], (4,), theirs[1], theirs[2]).backward(torch.tensor(u))
    same("gradient", ours[which].grad, theirs[which].grad)
    assert [x.grad is None for x in ours] == [i != which for i in range(3)]
