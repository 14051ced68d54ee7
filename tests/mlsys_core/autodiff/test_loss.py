"""Cross-entropy against torch: random and extreme logits, one class, one row, and shapes that do not fit."""

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


def loss(logits: draws.Array, targets: np.ndarray) -> Trial:
    """The same loss in both worlds."""
    return Trial([logits], lambda z: ad.cross_entropy(z, targets), lambda z: F.cross_entropy(z, torch.tensor(targets)))


@CASES.of(ad.cross_entropy)
def random_logits(rng):
    rows, classes = draws.shape(rng, 2, 2)
    return loss(draws.normal(rng, (rows, classes)), rng.integers(0, classes, rows))


@CASES.of(ad.cross_entropy)
def large_logits(rng):
    return loss(300 * rng.standard_normal((4, 5)) + 1000 * rng.choice([-1, 1]), rng.integers(0, 5, 4))


@CASES.of(ad.cross_entropy)
def logits_that_are_used_twice(rng):
    targets = rng.integers(0, 3, 4)
    labels = torch.tensor(targets)
    return Trial(
        [draws.normal(rng, (4, 3))],
        lambda z: ad.cross_entropy(z * z, Tensor(targets)) * ad.cross_entropy(z, targets.tolist()),
        lambda z: F.cross_entropy(z * z, labels) * F.cross_entropy(z, labels),
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize(("rows", "classes"), [(1, 1), (1, 4), (4, 1)])
def test_it_agrees_for_one_row_and_for_one_class(rows, classes):
    rng = np.random.default_rng(0)
    hold(loss(rng.standard_normal((rows, classes)), np.zeros(rows, dtype=int)), rng)


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_targets_may_be_of_any_integer_type(dtype):
    targets = np.array([2, 0, 1], dtype=dtype)
    z = np.random.default_rng(1).standard_normal((3, 4))
    same("value", ad.cross_entropy(z, targets), F.cross_entropy(torch.tensor(z), torch.tensor(targets).long()))


def test_equal_logits_lose_the_logarithm_of_the_number_of_classes():
    same("value", ad.cross_entropy(np.zeros((3, 7)), [0, 3, 6]), np.array(np.log(7)))


def test_a_hopeless_row_loses_a_finite_amount():
    z = Tensor(np.array([[0.0, -1e4]]), requires_grad=True)
    value = ad.cross_entropy(z, [1])
    value.backward()
    same("value", value, np.array(1e4))
    same("gradient", z.grad, np.array([[1.0, -1.0]]))


@pytest.mark.parametrize(
    ("logits", "targets"),
    [((2, 3), (3,)), ((3,), (3,)), ((2, 3), (2, 1)), ((2, 2, 3), (2, 2)), ((0, 3), (0,)), ((2, 3), ())],
)
def test_shapes_that_do_not_fit_are_refused(logits, targets):
    with pytest.raises(ValueError, match="Logits are"):
        ad.cross_entropy(np.ones(logits), np.zeros(targets, dtype=int))


def test_a_class_that_does_not_exist_is_refused():
    with pytest.raises(IndexError, match="out of bounds"):
        ad.cross_entropy(np.ones((2, 3)), [0, 3])


def test_a_negative_class_is_refused_and_not_counted_from_the_end():
    with pytest.raises(IndexError, match="A target is negative"):
        ad.cross_entropy(np.ones((2, 3)), [0, -1])
