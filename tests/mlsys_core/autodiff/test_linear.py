"""Matrix products and affine maps against torch: vectors, stacks, broadcast stacks, a matrix times itself, and nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import SEEDS, Case, Table, Trial, hold, same

CASES = Table()


def product(*inputs: np.ndarray) -> Trial:
    """A product of two arrays in both worlds, ours by the operator."""
    return Trial(inputs, lambda a, b: a @ b, torch.matmul)


@CASES.of(ad.matmul)
def matrices(rng):
    m, k, n = (int(i) for i in rng.permutation([2, 3, 5]))
    return Trial([draws.normal(rng, (m, k)), draws.normal(rng, (k, n))], ad.matmul, torch.matmul)


@CASES.of(ad.matmul)
def stacks_that_broadcast(rng):
    full = draws.shape(rng, 1, 2)
    a = draws.normal(rng, (*draws.narrowed(rng, full), 4, 3))
    return product(a, draws.normal(rng, (*draws.narrowed(rng, full), 3, 2)))


@CASES.of(ad.matmul)
def a_stack_and_a_matrix(rng):
    stack, matrix = (*draws.shape(rng, 1, 2), 4, 3), (3, 2)
    return product(draws.normal(rng, stack), draws.normal(rng, matrix))


@CASES.of(ad.matmul)
def a_matrix_and_a_stack(rng):
    return product(draws.normal(rng, (4, 3)), draws.normal(rng, (*draws.shape(rng, 1, 2), 3, 2)))


@CASES.of(ad.matmul)
def vectors(rng):
    return product(draws.normal(rng, (5,)), draws.normal(rng, (5,)))


@CASES.of(ad.matmul)
def a_vector_and_a_stack(rng):
    return product(draws.normal(rng, (3,)), draws.normal(rng, (*draws.shape(rng, 0, 2), 3, 4)))


@CASES.of(ad.matmul)
def a_stack_and_a_vector(rng):
    return product(draws.normal(rng, (*draws.shape(rng, 0, 2), 4, 3)), draws.normal(rng, (3,)))


@CASES.of(ad.matmul)
def a_matrix_times_itself(rng):
    return Trial([draws.normal(rng, (2, 4, 4))], lambda x: x @ x @ x, lambda x: x @ x @ x)


@CASES.of(ad.matmul)
def a_matrix_times_its_transpose(rng):
    x = draws.normal(rng, (3, 5))
    return Trial([x], lambda t: t @ t.T, lambda t: t @ t.T)


@CASES.of(ad.matmul)
def a_vector_times_itself(rng):
    return Trial([draws.normal(rng, (4,))], lambda x: ad.matmul(x, x), lambda x: x @ x)


@CASES.of(ad.matmul)
def arrays_on_either_side(rng):
    left, right = rng.standard_normal((4, 3)), rng.standard_normal((2, 6))
    x = draws.normal(rng, (3, 2))
    return Trial([x], lambda t: left @ t @ right, lambda t: torch.tensor(left) @ t @ torch.tensor(right))


@CASES.of(ad.linear)
def affine(rng):
    inputs = [draws.normal(rng, (*draws.shape(rng, 0, 3), 3)), draws.normal(rng, (4, 3)), draws.normal(rng, (4,))]
    return Trial(inputs, ad.linear, torch.nn.functional.linear)


@CASES.of(ad.linear)
def affine_without_a_bias(rng):
    inputs = [draws.normal(rng, (*draws.shape(rng, 0, 3), 3)), draws.normal(rng, (4, 3))]
    return Trial(inputs, ad.linear, torch.nn.functional.linear)


@CASES.of(ad.linear)
def affine_of_its_own_weight(rng):
    inputs = [draws.normal(rng, (3, 3)), draws.normal(rng, (3,))]
    return Trial(inputs, lambda w, b: ad.linear(w, w, b * b), lambda w, b: torch.nn.functional.linear(w, w, b * b))


@CASES.of(ad.linear)
def affine_in_its_bias_alone(rng):
    x, w = rng.standard_normal((2, 5, 3)), rng.standard_normal((4, 3))
    map_ = torch.nn.functional.linear
    return Trial(
        [draws.normal(rng, (4,))],
        lambda b: ad.linear(x, w, b),
        lambda b: map_(torch.tensor(x), torch.tensor(w), b),
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize(
    ("left", "right"),
    [((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 4)), ((2, 3, 0), (0, 4)), ((0,), (0,))],
)
def test_products_of_nothing_are_torchs(left, right):
    hold(product(np.ones(left), np.ones(right)), np.random.default_rng(0))


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (5, 0)])
def test_an_affine_map_of_nothing_is_torchs(shape):
    inputs = [np.ones(shape), np.ones((4, shape[-1])), np.arange(4.0)]
    hold(Trial(inputs, ad.linear, torch.nn.functional.linear), np.random.default_rng(0))


@pytest.mark.parametrize(("left", "right"), [((), (3,)), ((3,), ()), ((), ())])
def test_a_number_has_no_matrix_product(left, right):
    with pytest.raises(ValueError, match="at least one axis on each side"):
        ad.matmul(np.ones(left), np.ones(right))


@pytest.mark.parametrize(
    ("left", "right"), [((2, 3), (2, 3)), ((3,), (2, 3)), ((4, 2, 3), (2, 3)), ((2, 1, 3), (5, 3, 4, 2))]
)
def test_lengths_that_do_not_meet_are_refused(left, right):
    with pytest.raises(ValueError):
        ad.matmul(Tensor(np.ones(left), requires_grad=True), np.ones(right))


def test_a_large_product_of_views_is_torchs():
    rng = np.random.default_rng(5)
    hold(product(rng.standard_normal((70, 90)).T, rng.standard_normal((140, 33))[::2]), rng)


def test_a_factor_that_needs_no_gradient_gets_none():
    a, b = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.ones((3, 2)))
    (a @ b).backward(np.eye(2))
    assert b.grad is None
    same("gradient", a.grad, np.ones((2, 3)))
