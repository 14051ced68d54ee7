"""A whole model: every layer is replaced, each after looking at what reaches it by then, and hooks are gone afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mlsys_core.compression.apply import layer_names, model_bytes, quantize_gpt
from mlsys_core.compression.calibration import LINEARS, STAGES, inputs_of, watching
from mlsys_core.compression.gptq import gptq
from mlsys_core.compression.methods import AWQ, GPTQ, RTN, W8A8, QuantizedLinear
from mlsys_core.compression.packing import pack_quantized
from mlsys_core.compression.rtn import Scheme, quantize, weight_bytes
from mlsys_core.compression.smoothquant import W8A8Linear
from mlsys_core.kernels.matmul.int4 import dequantize_int4
from mlsys_core.kernels.matmul.int4_operator import int4_matmul
from mlsys_core.workloads.gpt import GPT, GPTConfig

SIZES = GPTConfig(vocab_size=19, context=24, dim=24, layers=3, heads=6, kv_heads=2, ffn=40)
METHODS = [RTN(Scheme(4)), GPTQ(Scheme(3)), AWQ(Scheme(4)), W8A8(), W8A8(alpha=None)]


def model(seed=0):
    return GPT(SIZES, seed).double().eval()


def tokens(seed=0, shape=(4, 20)):
    return torch.randint(SIZES.vocab_size, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_every_linear_layer_of_every_block_is_replaced_in_a_copy(method):
    plain = model()
    before = {name: weight.clone() for name, weight in plain.state_dict().items()}
    changed = quantize_gpt(plain, method, tokens())
    assert all(torch.equal(before[name], weight) for name, weight in plain.state_dict().items())
    for name in layer_names(plain):
        assert isinstance(changed.get_submodule(name), QuantizedLinear | W8A8Linear)
    assert isinstance(changed.head, nn.Linear)
    assert not any(module._forward_pre_hooks for module in changed.modules())
    apart = (changed(tokens(1)) - plain(tokens(1))).abs().max()
    assert 0 < apart < 0.5


def test_gptq_looks_at_each_layer_after_those_before_it_are_replaced(held):
    """By hand on the copy's own functions: the second moments that reach a layer come from rounded layers only."""
    method, plain = GPTQ(Scheme(3)), model(1)
    changed = quantize_gpt(plain, method, tokens())
    with watching(changed, layer_names(plain)) as seen:
        changed(tokens())  # what reaches a layer does not depend on it, nor on those after it
    for name in layer_names(plain):
        expected = gptq(plain.get_submodule(name).weight.detach(), seen[name].hessian, Scheme(3))
        found = changed.get_submodule(name).quantized
        held(
            "compression: layer by layer",
            "GPTQ on the finished model's inputs",
            found.dequantize(),
            expected.dequantize(),
            1e-9,
        )
    with watching(plain, layer_names(plain)) as exact:
        plain(tokens())
    last = layer_names(plain)[-1]
    assert not torch.allclose(exact[last].hessian, seen[last].hessian, rtol=1e-3)
    assert torch.equal(exact["blocks.0.attn.q_proj"].hessian, seen["blocks.0.attn.q_proj"].hessian)


def test_rounding_needs_no_text_and_rounds_each_layer_as_it_is():
    plain = model(2)
    changed = quantize_gpt(plain, RTN(Scheme(3, per="group", group_size=7)))
    for name in layer_names(plain):
        expected = quantize(plain.get_submodule(name).weight.detach(), Scheme(3, per="group", group_size=7))
        assert torch.equal(changed.get_submodule(name).codes, expected.codes)


def test_eight_bits_change_logits_less_than_four_and_four_less_than_three():
    plain = model(3)
    with torch.no_grad():
        expected = plain(tokens(1))
        apart = [float((quantize_gpt(plain, RTN(Scheme(bits)))(tokens(1)) - expected).norm()) for bits in (8, 4, 3)]
    assert 10 * apart[0] < apart[1] < 0.7 * apart[2]


def test_layers_by_name_have_methods_of_their_own_and_the_others_stay():
    plain = model(4)
    names = ["blocks.0.attn.v_proj", "blocks.2.ffn.down_proj"]
    changed = quantize_gpt(plain, {names[0]: RTN(Scheme(8)), names[1]: GPTQ(Scheme(2))}, tokens())
    replaced = {
        name: layer.scheme.bits for name, layer in changed.named_modules() if isinstance(layer, QuantizedLinear)
    }
    assert replaced == {names[0]: 8, names[1]: 2}


@pytest.mark.parametrize(
    ("method", "text", "told"),
    [
        (GPTQ(), None, "looks at activations"),
        (AWQ(), torch.zeros((0, 5), dtype=torch.long), "looks at activations"),
        ({"blocks.3.attn.q_proj": RTN()}, None, r"no layers blocks\.3\.attn\.q_proj"),
        ({"blocks.0.attn.q_proj": AWQ()}, tokens(), "use it for the whole model"),
    ],
)
def test_what_cannot_be_done_is_told(method, text, told):
    with pytest.raises(ValueError, match=told):
        quantize_gpt(model(), method, text)


def test_gptq_without_statistics_is_told():
    with pytest.raises(ValueError, match="give statistics"):
        GPTQ().replace(nn.Linear(3, 3, bias=False), None)


def test_inputs_are_seen_without_running_what_comes_after():
    block, ran = model().blocks[0], []
    for name in LINEARS:
        block.get_submodule(name).register_forward_hook(lambda *_, name=name: ran.append(name))
    x = torch.randn(2, 5, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for at, stage in enumerate(STAGES):
        ran.clear()
        seen = inputs_of(block, stage, x, torch.arange(5))
        assert [seen[name].count for name in stage] == [10] * len(stage)
        assert set(ran) >= {name for before in STAGES[:at] for name in before}
        assert not set(ran) & {name for after in STAGES[at + 1 :] for name in after}
    hessians = [one.hessian for one in inputs_of(block, STAGES[0], x, torch.arange(5)).values()]
    assert torch.equal(hessians[0], hessians[2])


def test_hooks_are_gone_when_the_model_fails():
    plain = model()
    with pytest.raises(IndexError), watching(plain, layer_names(plain)):
        plain(torch.full((1, 3), 99))
    assert not any(module._forward_pre_hooks for module in plain.modules())


def test_bytes_of_a_model_are_those_of_its_codes_and_two_for_every_other_weight():
    plain = model()
    weights = {name: weight.numel() for name, weight in plain.named_parameters()}
    assert model_bytes(plain) == 2 * sum(weights.values())
    scheme = Scheme(3, per="group", group_size=16)
    shapes = [plain.get_submodule(name).weight.shape for name in layer_names(plain)]
    rest = 2 * sum(count for name, count in weights.items() if "proj" not in name)
    assert model_bytes(quantize_gpt(plain, RTN(scheme))) == rest + sum(weight_bytes(*shape, scheme) for shape in shapes)
    eight = sum(n * k + 2 * n for n, k in shapes)
    assert model_bytes(quantize_gpt(plain, W8A8(), tokens())) == rest + eight


@pytest.mark.parametrize(
    "scheme",
    [
        Scheme(4),
        Scheme(4, symmetric=True),
        Scheme(4, symmetric=True, per="tensor"),
        Scheme(4, per="group", group_size=32),
        Scheme(4, symmetric=True, per="group", group_size=64),
    ],
)
def test_packed_codes_stand_for_the_same_weights(scheme, held):
    w = torch.randn(13, 192, generator=torch.Generator().manual_seed(0))
    found = quantize(w, scheme)
    packed, affine = pack_quantized(found, torch.float32)
    assert packed.numel() == 16 * 192 // 2
    held("compression: int4 packing", "dequantize_int4", dequantize_int4(packed, affine), found.dequantize(), 1e-6)


def test_the_kernel_multiplies_by_what_gptq_gave(held):
    draws = torch.Generator().manual_seed(1)
    w, x = torch.randn(24, 256, generator=draws), torch.randn(3, 256, generator=draws).half()
    found = gptq(w, torch.eye(256) + 0.5, Scheme(4, per="group", group_size=128))
    y = int4_matmul(x, *pack_quantized(found))
    expected = x.double() @ found.dequantize().double().T
    held("compression: int4 kernel on GPTQ's codes", "float64 product", y / 16, expected / 16, 2e-3)


@pytest.mark.parametrize(
    ("bits", "group", "told"), [(3, 8, "quantize to 4 bits"), (4, 12, "cannot be cut"), (4, 20, "cannot be cut")]
)
def test_codes_that_cannot_be_packed_are_told(bits, group, told):
    codes = quantize(torch.ones(2, 24), Scheme(bits, per="group", group_size=group))
    with pytest.raises(ValueError, match=told):
        pack_quantized(codes)
