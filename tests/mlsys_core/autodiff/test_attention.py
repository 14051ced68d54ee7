"""Attention against torch's scaled_dot_product_attention by its mathematical definition, causal and not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import SEEDS, Case, Table, Trial, hold, same

CASES = Table()


def torchs(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool) -> torch.Tensor:
    """torch's, in the one backend that has second derivatives."""
    with sdpa_kernel(SDPBackend.MATH):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)


def _trial(inputs, *, causal: bool) -> Trial:
    return Trial(
        inputs, lambda q, k, v: ad.attention(q, k, v, causal=causal), lambda q, k, v: torchs(q, k, v, causal=causal)
    )


def _drawn(rng, queries: int, keys: int) -> list[draws.Array]:
    lead = draws.shape(rng, 0, 2)
    return [draws.normal(rng, (*lead, *last)) for last in ((queries, 3), (keys, 3), (keys, 2))]


@CASES.of(ad.attention)
def every_position_sees_all(rng):
    return _trial(_drawn(rng, 4, 5), causal=False)


@CASES.of(ad.attention)
def causal(rng):
    return _trial(_drawn(rng, 5, 5), causal=True)


@CASES.of(ad.attention)
def causal_with_fewer_queries(rng):
    return _trial(_drawn(rng, 3, 5), causal=True)


@CASES.of(ad.attention)
def causal_with_fewer_keys(rng):
    return _trial(_drawn(rng, 5, 2), causal=True)


@CASES.of(ad.attention)
def scores_in_the_hundreds(rng):
    return _trial([30 * rng.standard_normal((2, 4, 3)) for _ in range(3)], causal=bool(rng.integers(2)))


@CASES.of(ad.attention)
def one_input_for_all_three(rng):
    causal = bool(rng.integers(2))
    x = draws.normal(rng, (2, 4, 3))
    return Trial([x], lambda x: ad.attention(x, x, x, causal=causal), lambda x: torchs(x, x, x, causal=causal))


@CASES.of(ad.attention)
def gradients_to_the_values_alone(rng):
    q, k = rng.standard_normal((4, 3)), rng.standard_normal((5, 3))
    v = draws.normal(rng, (5, 2))
    return Trial(
        [v],
        lambda v: ad.attention(q, k, v),
        lambda v: torchs(torch.tensor(q)[None], torch.tensor(k)[None], v[None], causal=False)[0],
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", [(0, 2, 4, 3), (1, 1, 1), (2, 1, 3)])
def test_it_agrees_for_no_batch_and_for_one_position(shape, causal):
    rng = np.random.default_rng(0)
    hold(_trial([rng.standard_normal(shape) for _ in range(3)], causal=causal), rng)


def test_no_queries_read_nothing():
    inputs = [Tensor(np.ones(shape), requires_grad=True) for shape in ((0, 3), (4, 3), (4, 2))]
    y = ad.attention(*inputs)
    y.backward(np.ones((0, 2)))
    assert y.shape == (0, 2)
    same("gradient of the values", inputs[2].grad, np.zeros((4, 2)))


def test_a_position_does_not_depend_on_later_ones():
    q, k, v = (Tensor(np.random.default_rng(1).standard_normal((6, 3)), requires_grad=True) for _ in range(3))
    y = ad.attention(q, k, v, causal=True)
    for x in (k, v):
        # numbered by the output's position
        shares = [ad.grad(y[i].sum(), x).numpy() for i in range(6)]
        assert all((share[i + 1 :] == 0).all() for i, share in enumerate(shares))
