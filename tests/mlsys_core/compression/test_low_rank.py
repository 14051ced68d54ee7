"""The best matrices of low rank: Eckart and Young's equality, and the least error of outputs, against torch.linalg and descent."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mlsys_core.compression.calibration import layer_error
from mlsys_core.compression.low_rank import (
    LowRankLinear,
    low_rank_cost,
    rank_for,
    tail,
    truncated_svd,
    whitened_svd,
)

SHAPES = [(7, 12), (12, 7), (9, 9)]


def layer(n: int, k: int, seed: int, tokens: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (n, k), and inputs (k, tokens) of very different sizes in directions of their own."""
    draws = torch.Generator().manual_seed(seed)
    weight = torch.randn(n, k, dtype=torch.float64, generator=draws)
    q, _ = torch.linalg.qr(torch.randn(k, k, dtype=torch.float64, generator=draws))
    sizes = torch.logspace(-1.5, 1.5, k, dtype=torch.float64)
    return weight, (q * sizes) @ torch.randn(k, tokens, dtype=torch.float64, generator=draws)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_error_is_the_root_of_the_squares_that_were_cut_off(shape, held):
    weight, _ = layer(*shape, seed=1)
    values = np.linalg.svd(weight.numpy(), compute_uv=False)
    for rank in range(1, min(shape) + 1):
        factors = truncated_svd(weight, rank)
        assert (factors.left.shape, factors.right.shape) == ((shape[0], rank), (rank, shape[1]))
        error = torch.linalg.norm(weight - factors.dense())
        held("compression: truncated SVD", "numpy's singular values", error, np.sqrt((values[rank:] ** 2).sum()), 1e-12)
        rest = torch.linalg.vector_norm(torch.linalg.svdvals(weight)[rank:])
        held("compression: truncated SVD", "torch.linalg.svdvals", error, rest, 1e-12)
        held("compression: tail", "numpy's singular values", tail(torch.from_numpy(values), rank), error, 1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_whitened_it_is_the_best_for_the_outputs(shape, held):
    """‖W X - Y‖ over Y of rank r is least for the truncated W X, whose rows W' X can reach: so its tail is the error."""
    weight, x = layer(*shape, seed=2)
    outputs = np.linalg.svd((weight @ x).numpy(), compute_uv=False)
    for rank in range(1, min(shape)):
        factors = whitened_svd(weight, x @ x.T, rank)
        assert factors.rank == rank
        error = torch.linalg.norm((weight - factors.dense()) @ x)
        held(
            "compression: whitened SVD",
            "numpy's SVD of the outputs",
            error,
            np.sqrt((outputs[rank:] ** 2).sum()),
            1e-12,
        )
        plain = torch.linalg.norm((weight - truncated_svd(weight, rank).dense()) @ x)
        assert error < 0.9 * plain


def test_no_step_from_the_whitened_factors_makes_the_outputs_better():
    """The gradient of the error is zero there, by autograd."""
    weight, x = layer(8, 10, seed=3)
    factors = whitened_svd(weight, x @ x.T, 3)
    left, right = factors.left.clone().requires_grad_(), factors.right.clone().requires_grad_()
    loss = ((weight - left @ right) @ x).square().sum()
    gradients = torch.autograd.grad(loss, (left, right))
    scale = float(loss.detach())
    assert max(float(g.abs().max()) for g in gradients) < 1e-7 * scale
    plain = truncated_svd(weight, 3)
    left, right = plain.left.requires_grad_(), plain.right.requires_grad_()
    loss = ((weight - left @ right) @ x).square().sum()
    assert max(float(g.abs().max()) for g in torch.autograd.grad(loss, (left, right))) > 1e-3 * scale


def test_white_inputs_leave_the_plain_decomposition():
    weight, _ = layer(6, 8, seed=4)
    plain, white = truncated_svd(weight, 4), whitened_svd(weight, 3.0 * torch.eye(8, dtype=torch.float64), 4)
    torch.testing.assert_close(white.dense(), plain.dense())


def test_fewer_inputs_than_channels_are_enough_for_what_they_span(held):
    weight, x = layer(9, 12, seed=5, tokens=4)
    _, _, directions = torch.linalg.svd(x.T)
    for rank in (4, 6):
        dense = whitened_svd(weight, x @ x.T, rank).dense()
        held("compression: whitened SVD", "W X, inputs of rank 4", dense @ x, weight @ x, 1e-12)
        held("compression: whitened SVD", "0 where no input points", dense @ directions[4:].T, torch.zeros(9, 8), 1e-6)
        assert layer_error(weight, dense, x @ x.T) < 1e-9 * layer_error(weight, 0 * weight, x @ x.T)


def test_a_layer_of_factors_gives_what_its_product_gives_and_trains(held):
    weight, _ = layer(7, 12, seed=6)
    bias = torch.randn(7, dtype=torch.float64)
    thin = LowRankLinear(truncated_svd(weight, 3), bias)
    x = torch.randn(2, 5, 12, dtype=torch.float64, requires_grad=True)
    dense = nn.Linear(12, 7).double()
    dense.weight.data, dense.bias.data = truncated_svd(weight, 3).dense(), bias
    cotangent = torch.randn(2, 5, 7, dtype=torch.float64)
    found, expected = thin(x), dense(x)
    held("compression: low-rank layer", "torch Linear", found, expected, 1e-12)
    (grad,) = torch.autograd.grad(found, x, cotangent, retain_graph=True)
    (wanted,) = torch.autograd.grad(expected, x, cotangent)
    held("compression: low-rank layer, gradient", "torch autograd", grad, wanted, 1e-12)
    assert LowRankLinear(truncated_svd(weight, 3))(x).shape == (2, 5, 7)


@pytest.mark.parametrize(("n", "k", "rank"), [(7, 12, 3), (30, 4, 2)])
def test_the_cost_is_what_torch_counts_and_what_the_factors_hold(n, k, rank):
    thin = LowRankLinear(truncated_svd(torch.randn(n, k), rank))
    with FlopCounterMode(display=False) as counter:
        thin(torch.randn(11, k))
    cost = low_rank_cost(n, k, rank)
    assert counter.get_total_flops() == 11 * cost.flops
    assert sum(p.numel() for p in thin.parameters()) == cost.weights


def test_the_rank_for_a_share_is_the_largest_that_fits():
    for n, k, share in ((128, 344, 0.5), (64, 64, 0.9), (10, 1000, 0.3)):
        rank = rank_for(n, k, share)
        assert low_rank_cost(n, k, rank).weights <= share * n * k
        assert rank == min(n, k) or low_rank_cost(n, k, rank + 1).weights > share * n * k
    assert rank_for(8, 8, 5.0) == 8
    with pytest.raises(ValueError, match="hold at least 16 weights"):
        rank_for(8, 8, 0.1)
    with pytest.raises(ValueError, match="no rank 9"):
        truncated_svd(torch.ones(8, 12), 9)
