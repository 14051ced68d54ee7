"""Scales that move between layers: the function stays in float64, and what is rounded afterwards loses less."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mlsys_core.compression.awq import search_scale
from mlsys_core.compression.calibration import FIRSTS, Statistics, inputs_of, layer_error, watching
from mlsys_core.compression.folding import AFTER_NORMS, AFTER_UP, fold
from mlsys_core.compression.methods import AWQ, W8A8
from mlsys_core.compression.outliers import inject_outliers
from mlsys_core.compression.rtn import Scheme, quantize
from mlsys_core.compression.smoothquant import LONGEST, W8A8Linear, integer_matmul, smooth_scale
from mlsys_core.workloads.gpt import GPT, GPTConfig

SIZES = GPTConfig(vocab_size=19, context=24, dim=24, layers=2, heads=6, kv_heads=2, ffn=40)


def model(seed=0):
    """Weights large enough that attention and gates do something."""
    made = GPT(SIZES, seed).double()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "proj" in name:
                weight.mul_(12)
    return made.eval()


def tokens(seed=0, shape=(3, 17)):
    return torch.randint(SIZES.vocab_size, shape, generator=torch.Generator().manual_seed(seed))


def positive(size, seed):
    return (3 * torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)).exp()


def test_folding_any_positive_factors_anywhere_leaves_the_function(held):
    plain, folded = model(), model()
    for block in folded.blocks:
        for i, (before, names) in enumerate((*AFTER_NORMS, *AFTER_UP)):
            linears = [block.get_submodule(name) for name in names]
            fold(block.get_submodule(before), linears, positive(linears[0].in_features, i))
    assert not torch.allclose(plain.blocks[0].ffn.down_proj.weight, folded.blocks[0].ffn.down_proj.weight)
    held("compression: folded scales", "the model before", folded(tokens()), plain(tokens()), 1e-10)


@pytest.mark.parametrize(
    ("factors", "told"),
    [
        (torch.ones(23), "do not fit layers with"),
        (torch.zeros(24), "not positive"),
        (torch.full((24,), torch.inf), "not positive or not finite"),
    ],
)
def test_factors_that_cannot_be_undone_are_told_and_change_nothing(factors, told):
    block = model().blocks[0]
    before = block.attn.q_proj.weight.clone()
    with pytest.raises(ValueError, match=told):
        fold(block.attn_norm, [block.attn.q_proj], factors)
    assert torch.equal(block.attn.q_proj.weight, before)
    assert (block.attn_norm.weight == 1).all()


def test_a_layer_with_a_bias_does_not_fold():
    with pytest.raises(ValueError, match="has a bias"):
        fold(nn.Linear(3, 4), [nn.Linear(4, 2)], torch.ones(4))


@pytest.mark.parametrize("seed", [0, 1])
def test_outliers_change_the_activations_and_not_the_logits(seed, held):
    plain = model(seed)
    changed = inject_outliers(plain, channels=3, seed=seed)
    held("compression: injected outliers", "the model before", changed(tokens()), plain(tokens()), 1e-12)
    names = [f"blocks.{i}.{name}" for i in (0, 1) for name in ("attn.q_proj", "ffn.up_proj")]
    with watching(plain, names) as before, watching(changed, names) as after:
        plain(tokens()), changed(tokens())
    for name in names:
        grown = after[name].peak / before[name].peak
        assert ((grown > 30 - 1e-6) & (grown < 100 + 1e-6)).sum() == 3
        assert torch.isclose(grown, torch.ones_like(grown)).sum() == 21
    assert len({tuple((after[name].peak / before[name].peak > 2).nonzero().flatten().tolist()) for name in names}) > 1


def test_outliers_are_drawn_by_the_seed_and_the_model_that_was_given_stays():
    plain = model()
    first, again, other = (inject_outliers(plain, seed=seed) for seed in (4, 4, 5))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.blocks[0].attn_norm.weight, other.blocks[0].attn_norm.weight)
    assert (plain.blocks[0].attn_norm.weight == 1).all()
    assert torch.equal(inject_outliers(plain, channels=0)(tokens()), plain(tokens()))


@pytest.mark.parametrize("asked", [{"channels": 25}, {"channels": -1}, {"low": 0}, {"low": 50, "high": 40}])
def test_outliers_that_cannot_be_are_told(asked):
    with pytest.raises(ValueError, match="give"):
        inject_outliers(model(), **asked)


@pytest.mark.parametrize("method", [AWQ(Scheme(3)), AWQ(Scheme(4, per="group", group_size=7)), W8A8(), W8A8(alpha=0.8)])
def test_before_rounding_the_scaled_model_is_the_model(method, held):
    plain, scaled = inject_outliers(model(2)), inject_outliers(model(2))
    x, where = scaled.embed(tokens()).detach(), torch.arange(17)
    for block in scaled.blocks:
        method.rescale(block, inputs_of(block, FIRSTS, x, where))
    changed = [not torch.equal(a, b) for a, b in zip(plain.parameters(), scaled.parameters(), strict=True)]
    assert sum(changed) >= 2 * 7
    held("compression: AWQ and SmoothQuant", "the model before, float64", scaled(tokens()), plain(tokens()), 1e-11)


def test_plain_integers_move_no_scales():
    method, block = W8A8(alpha=None), model().blocks[0]
    before = [weight.clone() for weight in block.parameters()]
    assert not method.rescales
    method.rescale(block, {})
    assert all(torch.equal(a, b) for a, b in zip(before, block.parameters(), strict=True))


def seen_by(n, k, seed, outliers=3):
    """Matrices of different heights, and inputs with a few large channels."""
    draws = torch.Generator().manual_seed(seed)
    x = torch.randn(200, k, generator=draws, dtype=torch.float64)
    x[:, torch.randperm(k, generator=draws)[:outliers]] *= 40
    seen = Statistics(k)
    seen.add(x)
    return [torch.randn(rows, k, generator=draws, dtype=torch.float64) for rows in (n, 2 * n + 1)], seen, x


@pytest.mark.parametrize(
    ("scheme", "seed"), [(Scheme(3), 0), (Scheme(4, per="group", group_size=16), 1), (Scheme(4, symmetric=True), 2)]
)
def test_awq_takes_the_power_with_the_least_error_of_outputs(scheme, seed, held):
    """All powers again, by the outputs of all inputs and not by second moments."""
    weights, seen, x = seen_by(9, 50, seed)
    found = search_scale(weights, seen, scheme)
    mean = x.abs().mean(0)
    errors = []
    for step in range(20):
        s = mean ** (step / 20)
        s = s / (s.max() * s.min()).sqrt()
        apart = [quantize(w * s, scheme).dequantize() / s - w for w in weights]
        errors.append(sum(float(((x @ a.T) ** 2).sum(1).mean()) for a in apart))
    held(
        "compression: AWQ, errors of the grid",
        "outputs of all inputs",
        np.array(found.errors) / errors[0],
        np.array(errors) / errors[0],
        1e-9,
    )
    assert found.alpha == int(np.argmin(errors)) / 20
    assert min(errors) < 0.5 * errors[0]


def test_awq_is_plain_rounding_where_that_is_best_and_a_grid_of_one_is_plain_rounding():
    weights, seen, _ = seen_by(4, 20, 0, outliers=0)
    one = search_scale(weights, seen, Scheme(4), grid=1)
    assert one.alpha == 0
    assert torch.equal(one.scale, torch.ones(20, dtype=torch.float64))
    plain = sum(layer_error(w, quantize(w, Scheme(4)).dequantize(), seen.hessian) for w in weights)
    assert one.errors == (pytest.approx(plain),)
    assert min(search_scale(weights, seen, Scheme(4)).errors) <= plain
    with pytest.raises(ValueError, match="nothing to choose"):
        search_scale(weights, seen, Scheme(4), grid=0)


def test_awq_takes_a_channel_that_is_always_zero():
    weights, _, x = seen_by(4, 20, 1)
    empty = Statistics(20)
    x[:, 5] = 0
    empty.add(x)
    assert torch.isfinite(search_scale(weights, empty, Scheme(3)).scale).all()


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_smoothing_shares_the_sizes_between_both_sides(alpha):
    weights, seen, x = seen_by(6, 30, 3)
    scale = smooth_scale(seen.peak, weights, alpha)
    activations = (x / scale).abs().amax(0)
    larger = torch.cat([w * scale for w in weights]).abs().amax(0)
    if alpha == 0.5:
        assert torch.allclose(activations, larger)  # both sqrt(max|X| max|W|)
    if alpha == 1:
        assert torch.allclose(activations, torch.ones_like(activations))
    if alpha == 0:
        assert torch.allclose(larger, torch.ones_like(larger))
    assert torch.allclose(activations * larger, seen.peak * torch.cat(weights).abs().amax(0))


def test_smoothing_leaves_channels_alone_that_are_always_zero_and_refuses_other_powers():
    scale = smooth_scale(torch.tensor([0.0, 2.0, 3.0]), [torch.tensor([[1.0, 0.0, 4.0]])])
    assert scale[:2].tolist() == [1, 1]
    with pytest.raises(ValueError, match="give 0 to 1"):
        smooth_scale(torch.ones(3), [torch.ones(2, 3)], 1.1)


@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (5, 1024, 7), (3, 1025, 4), (2, 5000, 9), (17, 344, 33)])
def test_sums_of_integers_are_exact(m, k, n, held):
    rng = np.random.default_rng(k)
    x, w = (rng.integers(-128, 128, (rows, k), dtype=np.int8) for rows in (m, n))
    x[0], w[0] = -128, -128  # the largest sum there is
    found = integer_matmul(torch.from_numpy(x), torch.from_numpy(w))
    assert found.dtype == torch.int32
    expected = x.astype(np.int64) @ w.astype(np.int64).T
    held("compression: W8A8, sums", "numpy int64", found.numpy() - expected, np.zeros((m, n)), 0)
    assert expected[0, 0] == k * 128**2


def test_sums_that_int32_may_not_hold_and_other_types_are_told():
    assert LONGEST * 128**2 < 2**31 <= (LONGEST + 1) * 128**2
    long = torch.ones((1, LONGEST + 1), dtype=torch.int8)
    with pytest.raises(ValueError, match="can leave int32"):
        integer_matmul(long, long)
    for other in (long[:, :5], long.float()):
        with pytest.raises(ValueError, match="do not fit"):
            integer_matmul(long, other)


@pytest.mark.parametrize("weights", ["tensor", "channel"])
@pytest.mark.parametrize("activations", ["tensor", "channel"])
def test_a_layer_in_integers_is_the_product_of_rounded_sides(weights, activations, held):
    draws = torch.Generator().manual_seed(0)
    linear = nn.Linear(50, 31, bias=False).double()
    x = torch.randn(2, 9, 50, generator=draws, dtype=torch.float64)
    found = W8A8Linear(linear, weights=weights, activations=activations)(x)
    w, rows = linear.weight.detach().numpy(), x.reshape(18, 50).numpy()
    sides = []
    for side, per in ((rows, activations), (w, weights)):
        step = (np.abs(side).max(1, keepdims=True) if per == "channel" else np.abs(side).max()) / 127
        sides.append(np.rint(side / step) * step)
    held("compression: W8A8 layer", "numpy float64", found.detach().reshape(18, 31), sides[0] @ sides[1].T, 1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sums_are_larger_than_half_precision_holds_and_outputs_are_not(dtype, held):
    """All inputs and weights alike: every product is 127², and 65,504 is the largest number of float16."""
    linear = nn.Linear(300, 5, bias=False, dtype=dtype)
    nn.init.constant_(linear.weight, 0.03125)
    found = W8A8Linear(linear)(torch.full((2, 300), 0.5, dtype=dtype))
    assert found.dtype == dtype
    held(
        "compression: W8A8 layer in 16 bits",
        "300 products by hand",
        found.float() / (300 * 0.015625),
        torch.ones(2, 5),
        0.01,
    )


def test_a_token_of_its_own_scale_is_not_disturbed_by_others():
    linear = nn.Linear(20, 7, bias=False)
    x = torch.randn(6, 20, generator=torch.Generator().manual_seed(1))
    layer = W8A8Linear(linear)
    loud = x.clone()
    loud[3] *= 1000
    assert torch.equal(layer(loud)[[0, 1, 2, 4, 5]], layer(x)[[0, 1, 2, 4, 5]])
    shared = W8A8Linear(linear, activations="tensor")
    assert not torch.allclose(shared(loud)[0], shared(x)[0], rtol=0.05)


def test_layers_that_integers_cannot_be_are_told():
    with pytest.raises(ValueError, match="within a sum of integers"):
        W8A8Linear(nn.Linear(3, 4, bias=False), activations="group")
    with pytest.raises(ValueError, match="without one"):
        W8A8Linear(nn.Linear(3, 4))
