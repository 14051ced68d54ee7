"""GPTQ against OBQ done slowly, against least squares, and against rounding to nearest, which it is where inputs are independent."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.compression.calibration import Statistics, layer_error
from mlsys_core.compression.gptq import gptq, gptq_flops, inverse_factor
from mlsys_core.compression.rtn import Scheme, quantize


def layer(n, k, seed, dtype=torch.float64, inputs=None):
    """Weights, and the Hessian of inputs that are correlated and of different sizes."""
    draws = torch.Generator().manual_seed(seed)
    w = torch.randn(n, k, generator=draws, dtype=dtype)
    mixed = torch.randn(inputs or 4 * k, k, generator=draws, dtype=torch.float64)
    x = mixed @ torch.randn(k, k, generator=draws, dtype=torch.float64) + mixed * torch.rand(k, generator=draws)
    return w, 2 * x.T @ x / len(x), x


def obq(w, h, scale, zero, scheme, order):  # noqa: PLR0917 - as the equation reads
    """A row at a time: round a column, change those left by the closed form, take the column out of the inverse by elimination."""
    rounded = np.empty_like(w)
    for row in range(len(w)):
        line, inverse = w[row].copy(), np.linalg.inv(h)
        for j in order:
            code = np.clip(np.rint(line[j] / scale[row]) + zero[row], scheme.lowest, scheme.highest)
            rounded[row, j] = (code - zero[row]) * scale[row]
            line -= (line[j] - rounded[row, j]) / inverse[j, j] * inverse[j]
            inverse -= np.outer(inverse[:, j], inverse[j]) / inverse[j, j]
    return rounded


def by_least_squares(w, x, scale, zero, scheme):
    """A row at a time: round a column, and fit the columns left to what the whole row gave, from the inputs themselves."""
    rounded = np.zeros_like(w)
    for row in range(len(w)):
        line = w[row].copy()
        for j in range(w.shape[1]):
            code = np.clip(np.rint(line[j] / scale[row]) + zero[row], scheme.lowest, scheme.highest)
            rounded[row, j] = (code - zero[row]) * scale[row]
            missing = x @ w[row] - x[:, : j + 1] @ rounded[row, : j + 1]
            if j + 1 < len(line):
                line[j + 1 :] = np.linalg.lstsq(x[:, j + 1 :], missing, rcond=None)[0]
    return rounded


@pytest.mark.parametrize(("seed", "bits", "act_order"), [(0, 4, False), (1, 3, True), (2, 2, False), (3, 3, True)])
def test_eight_by_eight_is_exactly_optimal_brain_quantization(seed, bits, act_order, held):
    w, h, x = layer(8, 8, seed)
    scheme = Scheme(bits, symmetric=bool(seed % 2))
    plain = quantize(w, scheme)
    grid = (plain.scale[:, 0].numpy(), plain.zero[:, 0].numpy(), scheme)
    order = np.argsort(-h.diagonal().numpy(), kind="stable") if act_order else np.arange(8)
    found = gptq(w, h, scheme, damping=0, act_order=act_order, block=3)
    held(
        "compression: GPTQ 8×8", "OBQ by elimination", found.dequantize(), obq(w.numpy(), h.numpy(), *grid, order), 1e-9
    )
    if not act_order:
        held(
            "compression: GPTQ 8×8",
            "numpy.linalg.lstsq, column by column",
            found.dequantize(),
            by_least_squares(w.numpy(), x.numpy(), *grid),
            1e-9,
        )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 8),
    st.booleans(),
    st.sampled_from(["tensor", "channel", "group"]),
    st.integers(1, 20),
    st.integers(1, 24),
    st.booleans(),
    st.integers(0, 99),
)
def test_independent_inputs_leave_rounding_to_nearest_bit_by_bit(  # noqa: PLR0917 - drawn in this order
    bits, symmetric, per, size, block, act_order, seed
):
    scheme = Scheme(bits, symmetric=symmetric, per=per, group_size=size)
    w = torch.randn(5, 37, generator=torch.Generator().manual_seed(seed))
    found = gptq(w, torch.eye(37), scheme, block=block, act_order=act_order)
    plain = quantize(w, scheme)
    for one, other in ((found.codes, plain.codes), (found.scale, plain.scale), (found.zero, plain.zero)):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("n", "k"), [(12, 40), (33, 96), (7, 130)])
@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("act_order", [False, True])
def test_the_layers_error_is_below_that_of_rounding_to_nearest_by_about_what_its_factor_says(n, k, bits, act_order):
    w, h, _ = layer(n, k, n + k)
    scheme = Scheme(bits)
    found = gptq(w, h, scheme, act_order=act_order, damping=1e-4)
    ratio = layer_error(w, found.dequantize(), h) / layer_error(w, quantize(w, scheme).dequantize(), h)
    order = h.diagonal().argsort(descending=True) if act_order else torch.arange(k)
    left = float((1 / inverse_factor(h[order][:, order], 1e-4).diagonal() ** 2).sum() / h.diagonal().sum())
    assert left < 0.7
    assert 0.6 * left < ratio < 1.4 * left


@pytest.mark.parametrize("per", ["channel", "group"])
def test_the_order_of_the_largest_activations_helps_where_sizes_differ(per):
    """Inputs with a few large channels at the end, as outliers may lie."""
    ratios = []
    for seed in range(5):
        draws = torch.Generator().manual_seed(seed)
        x = torch.randn(400, 64, generator=draws, dtype=torch.float64)
        x = x + 0.7 * x[:, torch.randperm(64, generator=draws)]
        x[:, 56:] *= 10
        w, h = torch.randn(24, 64, generator=draws, dtype=torch.float64), 2 * x.T @ x / 400
        scheme = Scheme(3, per=per, group_size=16)
        errors = [layer_error(w, gptq(w, h, scheme, act_order=o).dequantize(), h) for o in (True, False)]
        ratios.append(errors[0] / errors[1])
    assert np.mean(ratios) < 0.9


@pytest.mark.parametrize(
    "scheme", [Scheme(4), Scheme(3, per="group", group_size=24), Scheme(2, symmetric=True, per="tensor")]
)
@pytest.mark.parametrize("act_order", [False, True])
def test_blocks_change_when_columns_are_updated_and_not_what_comes_out(scheme, act_order):
    w, h, _ = layer(9, 100, 3)
    found = [gptq(w, h, scheme, block=block, act_order=act_order) for block in (1, 24, 48, 1000)]
    for other in found[1:]:
        assert (found[0].codes == other.codes).float().mean() > 0.999
        assert torch.allclose(found[0].scale, other.scale)


def test_a_group_has_the_range_of_weights_that_have_made_good_for_those_before():
    """By hand: all columns before the group are updated one by one."""
    w, h, _ = layer(4, 30, 8)
    scheme = Scheme(3, per="group", group_size=10)
    found = gptq(w, h, scheme, block=10, damping=0.05)
    factor = np.linalg.cholesky(np.linalg.inv(h.numpy() + 0.05 * h.diagonal().mean().item() * np.eye(30))).T
    line = w.numpy().copy()
    for j in range(30):
        if j % 10 == 0:
            part = line[:, j : j + 10]
            low, high = np.minimum(part.min(1), 0), np.maximum(part.max(1), 0)
            scale = (high - low) / 7
            assert np.allclose(found.scale[:, j // 10], scale)
        line[:, j + 1 :] -= np.outer((line[:, j] - found.dequantize()[:, j].numpy()) / factor[j, j], factor[j, j + 1 :])


def test_codes_of_the_order_by_activations_stand_where_their_weights_stood():
    """With an order, weights that lie on the grid already stay what they are, each in its place."""
    _, h, _ = layer(6, 48, 4)
    for scheme in (Scheme(4, symmetric=True), Scheme(4, per="group", group_size=16)):
        w = quantize(
            torch.randn(6, 48, generator=torch.Generator().manual_seed(2), dtype=torch.float64), scheme
        ).dequantize()
        found = gptq(w, h, scheme, act_order=True)
        assert torch.allclose(found.dequantize(), w, atol=1e-9)


def test_fewer_inputs_than_channels_need_damping_and_get_it():
    w, h, _ = layer(5, 32, 6, inputs=10)
    with pytest.raises(ValueError, match="no inverse, even with damping 0"):
        gptq(w, h - 1e-9 * torch.eye(32), Scheme(4), damping=0)
    found = gptq(w, h, Scheme(4), damping=0.01)
    assert layer_error(w, found.dequantize(), h) < layer_error(w, quantize(w, Scheme(4)).dequantize(), h)


@pytest.mark.parametrize("act_order", [False, True])
def test_weights_of_channels_that_are_always_zero_become_zeros_and_disturb_none(act_order):
    w, h, x = layer(5, 20, 7)
    dead = torch.zeros(20, dtype=torch.bool)
    dead[[2, 11, 19]] = True
    x[:, dead] = 0
    h = 2 * x.T @ x / len(x)
    found = gptq(w, h, Scheme(4, symmetric=True), act_order=act_order).dequantize()
    assert (found[:, dead] == 0).all()
    w[:, dead] = 0
    alive = gptq(w[:, ~dead], h[~dead][:, ~dead], Scheme(4, symmetric=True), act_order=act_order).dequantize()
    assert torch.allclose(found[:, ~dead], alive)


def test_the_factor_is_that_of_the_inverse(held):
    _, h, _ = layer(1, 30, 9)
    factor = inverse_factor(h, 0.02)
    assert torch.equal(factor, factor.triu())
    damped = h.numpy() + 0.02 * np.trace(h.numpy()) / 30 * np.eye(30)
    expected = np.linalg.inv(damped)
    held(
        "compression: GPTQ, factor",
        "numpy.linalg.inv",
        (factor.T @ factor) / expected.max(),
        expected / expected.max(),
        1e-8,
    )


def test_what_does_not_fit_is_told():
    w, h, _ = layer(3, 8, 0)
    for weights, hessian, named, told in (
        (w, h[:4], {}, "do not fit"),
        (w[0], h, {}, "do not fit"),
        (w / 0, h, {}, "infinite or no numbers"),
        (w, h * torch.nan, {}, "has no inverse"),
        (w, h, {"block": 0}, "not possible"),
        (w, h, {"damping": -1}, "not possible"),
    ):
        with pytest.raises(ValueError, match=told):
            gptq(weights, hessian, Scheme(), **named)


def test_the_weights_that_were_given_stay_as_they_were():
    w, h, _ = layer(3, 8, 0)
    before = w.clone(), h.clone()
    gptq(w, h, Scheme(3))
    assert torch.equal(w, before[0])
    assert torch.equal(h, before[1])


def test_work_grows_with_the_cube_of_inputs_and_once_with_outputs():
    assert gptq_flops(1000, 64) / gptq_flops(500, 64) == pytest.approx(2, rel=0.2)
    assert gptq_flops(1, 2000) / gptq_flops(1, 1000) == pytest.approx(8, rel=0.01)
    # each weight is changed once for each column before it, by a product and a sum
    assert gptq_flops(3, 10) - 4 / 3 * 1000 == sum(2 * 3 for j in range(10) for _ in range(j))


def test_statistics_give_the_hessian_of_the_inputs_themselves(held):
    x = torch.randn(50, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen = Statistics(12)
    for part in (x[:20], x[20:20], x[20:].reshape(5, 6, 12)):
        seen.add(part)
    assert seen.count == 50
    held("compression: statistics", "numpy", seen.hessian, 2 / 50 * x.numpy().T @ x.numpy(), 1e-12)
    held("compression: statistics", "numpy", seen.mean_abs, np.abs(x.numpy()).mean(0), 1e-12)
    held("compression: statistics", "numpy", seen.peak, np.abs(x.numpy()).max(0), 0)
    w, other = torch.randn(2, 7, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = ((x @ (w - other).T) ** 2).sum(1).mean()
    held("compression: a layer's error", "outputs of all inputs", layer_error(w, other, seen.hessian), expected, 1e-9)


def test_statistics_of_nothing_are_told():
    with pytest.raises(ValueError, match="has seen no input"):
        _ = Statistics(3).hessian
