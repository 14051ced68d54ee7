"""NF4 against scipy's quantiles and the levels that the paper prints; bits against bytes; QLoRA against autograd on whole weights."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.compression.lora import LoRALinear, linear_names, lora_state_dict
from mlsys_core.compression.nf4 import NF4_LEVELS, Scales, nearest_level, nf4_bits, quantize_nf4, quantize_scales
from mlsys_core.compression.qlora import NF4Linear, add_qlora, merge_qlora, qlora_bytes
from mlsys_core.workloads.gpt import GPT, GPTConfig

CONFIG = GPTConfig(vocab_size=17, context=16, dim=32, layers=1, heads=4, kv_heads=2, ffn=48)
# T. Dettmers et al., QLoRA, appendix E
PRINTED = [
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334),
    *(-0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
]


def weights(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.05


def test_levels_are_quantiles_of_the_normal_distribution_as_the_paper_prints_them(held):
    most = 0.5 * ((1 - 1 / 30) + (1 - 1 / 32))
    above, below = norm.ppf(np.linspace(0.5, most, 9)), norm.ppf(np.linspace(0.5, most, 8))
    expected = np.concatenate((-below[:0:-1], above)) / above[-1]
    held("compression: NF4 levels", "scipy's quantiles", NF4_LEVELS(), expected, 1e-7)
    held("compression: NF4 levels", "QLoRA, appendix E", NF4_LEVELS(), PRINTED, 2e-7)
    assert (len(NF4_LEVELS()), float(NF4_LEVELS()[7])) == (16, 0.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.integers(1, 40))
def test_each_code_is_the_nearest_level(seed, count):
    share = torch.rand(count, generator=torch.Generator().manual_seed(seed)) * 2.4 - 1.2
    codes = nearest_level(share)
    nearest = (share[:, None] - NF4_LEVELS()).abs().amin(1)
    torch.testing.assert_close((share - NF4_LEVELS()[codes.long()]).abs(), nearest, rtol=0, atol=1e-7)


def test_on_normal_weights_it_errs_less_than_even_levels_do():
    weight = weights(256, 256)
    stored = quantize_nf4(weight, second=None).dequantize()
    blocks = weight.view(-1, 64)
    step = blocks.abs().amax(1, keepdim=True) / 7
    even = ((blocks / step).round().clamp(-8, 7) * step).view_as(weight)
    assert (stored - weight).square().mean() < 0.9 * (even - weight).square().mean()


@pytest.mark.parametrize("shape", [(64, 64), (5, 77), (3, 4, 5), (1, 1)])
@pytest.mark.parametrize("second", [256, 3, None])
def test_errors_are_at_most_half_of_the_widest_step_of_the_scale(shape, second):
    weight = weights(*shape, seed=len(shape))
    stored = quantize_nf4(weight, block=16, second=second)
    found = stored.dequantize()
    assert (found.shape, stored.codes.dtype) == (weight.shape, torch.uint8)
    scales = stored.scales if isinstance(stored.scales, torch.Tensor) else stored.scales.dequantize()
    each = scales.repeat_interleave(16)[: weight.numel()].view_as(weight)
    half = float(NF4_LEVELS().diff().max()) / 2
    outside = (weight.abs() - each).clamp(min=0)
    assert ((found - weight).abs() <= half * each + outside + 1e-7).all()


def test_a_scale_that_is_not_quantized_keeps_the_largest_of_its_block_and_zeros_stay_zero():
    weight = weights(8, 64)
    weight[3] = 0
    found = quantize_nf4(weight, second=None).dequantize()
    at = weight.abs().argmax(1)
    rows = torch.arange(8)
    torch.testing.assert_close(found[rows, at], weight[rows, at])
    assert not found[3].any()
    again = quantize_nf4(found, second=None).dequantize()
    torch.testing.assert_close(again, found)


@pytest.mark.parametrize("second", [7, 256])
def test_scales_in_eight_bits_are_within_a_sixteenth_of_their_distance_from_the_mean(second):
    scales = weights(1000).abs() + 0.1
    stored = quantize_scales(scales, second)
    found = stored.dequantize()
    # three bits after the point: half of 2⁻³; below 2⁻⁶ of float8 steps are even, 2⁻⁹ wide
    parts = stored.factors.repeat_interleave(second)[:1000]
    assert ((found - scales).abs() <= (scales - stored.mean).abs() / 16 + parts * 2**-10 + 1e-8).all()
    assert (found - scales).abs().mean() < 0.01 * scales.mean()
    alike = quantize_scales(torch.full((5,), 0.3))
    torch.testing.assert_close(alike.dequantize(), torch.full((5,), 0.3))


def test_double_quantization_takes_4_127_bits_a_weight():
    assert nf4_bits() == 4 + 8 / 64 + 32 / (64 * 256)
    assert round(nf4_bits(), 3) == 4.127
    assert nf4_bits(second=None) == 4.5
    assert round(nf4_bits(second=None) - nf4_bits(), 3) == 0.373
    weight = weights(256, 512)
    for second in (256, None):
        stored = quantize_nf4(weight, second=second)
        mean = 4 if isinstance(stored.scales, Scales) else 0
        assert 8 * (stored.nbytes - mean) / weight.numel() == nf4_bits(second=second)


def test_what_has_no_scale_or_no_bytes_is_told():
    with pytest.raises(ValueError, match="do not fill bytes"):
        quantize_nf4(weights(4, 4), block=7)
    with pytest.raises(ValueError, match="infinite or no number"):
        quantize_nf4(torch.tensor([1.0, float("nan")]))


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_of_four_bits_multiplies_by_what_it_stands_for_and_keeps_nothing(bias, held):
    torch.manual_seed(0)
    plain = nn.Linear(48, 20, bias=bias)
    layer = NF4Linear(plain)
    whole = layer.weight.dequantize().requires_grad_()
    x, cotangent = torch.randn(3, 5, 48, requires_grad=True), torch.randn(3, 5, 20)
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        found = layer(x)
    assert kept == []
    expected = F.linear(x, whole, plain.bias)
    held("compression: NF4 layer", "torch Linear of its weights", found, expected, 1e-6)
    (grad,) = torch.autograd.grad(found, x, cotangent)
    (wanted,) = torch.autograd.grad(expected, x, cotangent)
    held("compression: NF4 layer, gradient", "torch autograd", grad, wanted, 1e-6)
    assert not [p for p in layer.parameters() if p.requires_grad]


def test_a_model_of_four_bits_learns_by_its_adapters_alone():
    model = GPT(CONFIG, seed=1)
    names = add_qlora(model, rank=2, block=32, seed=4)
    assert names == [f"blocks.0.{name}" for name in ("attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.o_proj")] + [
        f"blocks.0.ffn.{name}" for name in ("gate_proj", "up_proj", "down_proj")
    ]
    before = deepcopy(model.state_dict())
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    tokens = torch.randint(17, (4, 11), generator=torch.Generator().manual_seed(1))
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.loss(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.01
    for name, value in model.state_dict().items():
        same = torch.equal(*(one.reshape(-1).view(torch.uint8) for one in (value, before[name])))
        assert same == (name not in lora_state_dict(model)), name


def test_merged_it_is_a_plain_model_that_says_the_same(held):
    model = GPT(CONFIG, seed=1)
    add_qlora(model, rank=2, block=32)
    with torch.no_grad():
        for name, value in lora_state_dict(model).items():
            value.normal_(0, 0.1, generator=torch.Generator().manual_seed(len(name)))
    tokens = torch.randint(17, (2, 9))
    adapter = next(module for module in model.modules() if isinstance(module, LoRALinear))
    with pytest.raises(TypeError, match="NF4Linear has no weight to add to"):
        adapter.merge()
    with pytest.raises(TypeError, match="starts from a plain model"):
        add_qlora(deepcopy(model), targets=("base",))
    before = model(tokens)
    merge_qlora(model)
    held("compression: QLoRA merged", "adapters beside NF4", model(tokens), before, 2e-6)
    assert all(isinstance(model.get_submodule(name), nn.Linear) for name in linear_names(model))


def test_a_bias_is_there_when_it_is_merged_and_a_name_that_no_layer_has_is_told(held):
    model = nn.Sequential(OrderedDict(q_proj=nn.Linear(64, 6)))
    x = torch.randn(3, 64, generator=torch.Generator().manual_seed(2))
    add_qlora(model, rank=2, targets=("q_proj",))
    before = model(x)
    merge_qlora(model)
    held("compression: QLoRA merged", "adapters beside NF4", model(x), before, 2e-6)
    assert model.q_proj.bias.abs().min() > 0
    with pytest.raises(ValueError, match="No layer of the model is called k_proj"):
        add_qlora(model, targets=("k_proj",))


def test_bytes_of_a_training_are_those_of_the_base_and_sixteen_a_parameter_of_the_adapters():
    shapes = [(256, 512), (64, 256)]
    parts = [nn.Linear(k, n, bias=False) for n, k in shapes]
    kept = sum(NF4Linear(part).weight.nbytes - 4 for part in parts)
    adapters = sum(p.numel() for part in parts for p in LoRALinear(part, 4, 1.0).parameters() if p.requires_grad)
    assert qlora_bytes(shapes, 4) == kept + 16 * adapters
