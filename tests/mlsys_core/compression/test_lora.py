"""Adapters learn and the base does not, bit for bit; merged, unmerged and torch's own sum of two layers say the same."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.compression.lora import (
    TARGETS,
    LoRALinear,
    add_lora,
    linear_names,
    lora_parameters,
    lora_state_dict,
    merge_lora,
)
from mlsys_core.workloads.gpt import GPT, GPTConfig

CONFIG = GPTConfig(vocab_size=17, context=16, dim=24, layers=2, heads=4, kv_heads=2, ffn=40)


def adapted(n: int = 7, k: int = 11, rank: int = 3, *, dtype: torch.dtype = torch.float64) -> LoRALinear:
    """An adapter whose B is not zero any more."""
    torch.manual_seed(n * k)
    layer = LoRALinear(nn.Linear(k, n, dtype=dtype), rank, alpha=5.0, seed=1)
    with torch.no_grad():
        layer.lora_B.normal_()
    return layer


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(17, shape, generator=torch.Generator().manual_seed(seed))


def test_at_first_an_adapter_changes_nothing():
    plain = GPT(CONFIG, seed=1)
    model = deepcopy(plain)
    names = add_lora(model, rank=4)
    assert names == linear_names(plain)
    assert len(names) == 2 * len(TARGETS)
    assert torch.equal(model(tokens(2, 9)), plain(tokens(2, 9)))


@pytest.mark.parametrize(("n", "k", "rank"), [(7, 11, 3), (12, 4, 1), (5, 5, 5)])
def test_outputs_and_gradients_are_those_of_the_sum_of_the_weights(n, k, rank, held):
    layer = adapted(n, k, rank)
    x = torch.randn(2, 6, k, dtype=torch.float64, requires_grad=True)
    cotangent = torch.randn(2, 6, n, dtype=torch.float64)
    a, b = (p.detach().clone().requires_grad_() for p in (layer.lora_A, layer.lora_B))
    expected = F.linear(x, layer.base.weight + 5.0 / rank * b @ a, layer.base.bias)
    found = layer(x)
    held("compression: LoRA", "torch Linear of W + BA", found, expected, 1e-12)
    grads = torch.autograd.grad(found, (x, layer.lora_A, layer.lora_B), cotangent)
    wanted = torch.autograd.grad(expected, (x, a, b), cotangent)
    held("compression: LoRA, gradients", "torch autograd", list(grads), list(wanted), 1e-11)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-13)])
def test_merged_is_unmerged(dtype, tolerance, held):
    layer = adapted(dtype=dtype)
    x = torch.randn(9, 11, dtype=dtype)
    before, weight = layer(x), layer.base.weight.clone()
    layer.merge()
    held("compression: LoRA merged", "LoRA beside the base", layer(x), before, tolerance)
    summed = torch.addmm(weight, layer.lora_B, layer.lora_A, alpha=5 / 3)
    held(
        "compression: LoRA merged", "torch Linear of W + BA", layer(x), F.linear(x, summed, layer.base.bias), tolerance
    )
    merged = layer.base.weight.clone()
    torch.testing.assert_close(merged, weight + layer.delta())
    layer.merge()
    assert torch.equal(layer.base.weight, merged), "twice is once"
    layer.unmerge()
    layer.unmerge()
    # one sum and one difference round by half an ulp of the larger number each
    ulp = torch.finfo(dtype).eps * torch.maximum(weight.abs(), merged.abs()).max()
    assert float((layer.base.weight - weight).abs().max()) <= ulp
    held("compression: LoRA unmerged", "LoRA beside the base", layer(x), before, tolerance)


def test_training_changes_a_and_b_and_not_one_bit_of_anything_else():
    model = GPT(CONFIG, seed=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    add_lora(model, rank=2, targets=("q_proj", "down_proj"), seed=3)
    started = {name: value.clone() for name, value in lora_state_dict(model).items()}
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = model.loss(tokens(4, 10), tokens(4, 10, seed=1))
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.01
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == set(started) == {n for n, p in model.named_parameters() if p.requires_grad}
    assert len(learning) == 8
    after = {name.replace(".base", ""): value for name, value in model.state_dict().items()}
    for name, value in before.items():
        assert torch.equal(after[name], value), name
    assert all(not torch.equal(value, started[name]) for name, value in lora_state_dict(model).items())


def test_merging_a_model_gives_plain_layers_that_say_the_same(held):
    model = GPT(CONFIG, seed=4)
    names = set(dict(model.named_parameters()))
    add_lora(model, rank=3)
    with torch.no_grad():
        for name, value in lora_state_dict(model).items():
            if name.endswith("lora_B"):
                value.normal_(0, 0.05)
    before = model(tokens(2, 9))
    merge_lora(model)
    held("compression: LoRA model merged", "the model with adapters", model(tokens(2, 9)), before, 2e-6)
    assert not any(isinstance(module, LoRALinear) for module in model.modules())
    assert set(dict(model.named_parameters())) == names


def test_adapters_of_a_task_can_be_taken_out_and_put_into_another_copy():
    model, other = GPT(CONFIG, seed=5), GPT(CONFIG, seed=5)
    add_lora(model, seed=1)
    with torch.no_grad():
        for value in lora_state_dict(model).values():
            value.normal_()
    add_lora(other, seed=2)
    assert not torch.equal(model(tokens(1, 5)), other(tokens(1, 5)))
    missing, unexpected = other.load_state_dict(lora_state_dict(model), strict=False)
    assert not unexpected
    assert not any("lora_" in name for name in missing)
    assert torch.equal(model(tokens(1, 5)), other(tokens(1, 5)))


def test_dropout_is_on_the_adapter_alone_and_only_in_training():
    layer = LoRALinear(nn.Linear(6, 4), 2, 2.0, dropout=0.5)
    x = torch.randn(3, 6)
    assert torch.equal(layer.train()(x), layer.base(x)), "B is zero"
    with torch.no_grad():
        layer.lora_B.fill_(1.0)
    torch.manual_seed(0)
    noisy = layer(x)
    assert not torch.equal(noisy, layer(x))
    assert torch.equal(layer.eval()(x), layer(x))


def test_the_count_is_what_the_parameters_are():
    model = GPT(CONFIG)
    shapes = [tuple(model.get_submodule(name).weight.shape) for name in linear_names(model)]
    add_lora(model, rank=5)
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert lora_parameters(shapes, 5) == learning


def test_what_cannot_be_adapted_is_told():
    with pytest.raises(ValueError, match="rank of at least 1"):
        LoRALinear(nn.Linear(3, 3), 0, 1.0)
    with pytest.raises(ValueError, match="No layer of the model is called query"):
        add_lora(GPT(CONFIG), targets=("query",))
