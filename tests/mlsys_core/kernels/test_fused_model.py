"""The language model with our kernels is the model without them: its logits, its loss, and three steps of training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from mlsys_core.kernels.modules import FusedAttention, FusedGPT, FusedRMSNorm, FusedSwiGLU, fuse
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.kernels.operators import compiled
from tests.mlsys_core.kernels.where import DEVICE, generator

CONFIG = GPTConfig(vocab_size=83, context=40, dim=24, layers=2, heads=6, kv_heads=3, ffn=70)


@pytest.fixture
def tokens():
    return torch.randint(83, (1, 8), generator=generator(3), device=DEVICE)


def fused_only(kind):
    """A plain model of one block in which one kind of part alone is changed."""
    model = GPT(replace(CONFIG, layers=1), seed=5).to(DEVICE)
    for part in list(model.modules()):
        if isinstance(part, nn.Module) and type(part).__name__ == kind:
            holder = nn.ModuleList([part])
            fuse(holder)
    return model


def trained(model, tokens):
    """The losses of three steps, and the weights after them."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    losses = []
    for step in range(3):
        loss = model.loss(tokens[:, step : step + 5], tokens[:, step + 1 : step + 6])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: weight.detach().cpu() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("part", ["RMSNorm", "SwiGLU", "Attention", "GPT"])
def test_three_steps_of_training_end_where_those_of_the_plain_model_end(part, tokens, held):
    ours = FusedGPT(CONFIG, seed=5).to(DEVICE) if part == "GPT" else fused_only(part)
    plain = GPT(ours.config, seed=5).to(DEVICE)
    held(f"fused {part}", "workloads.gpt, three steps", trained(ours, tokens), trained(plain, tokens), 1e-4)


def test_the_parts_are_really_replaced():
    kinds = {type(part) for part in FusedGPT(CONFIG).modules()}
    assert {FusedRMSNorm, FusedSwiGLU, FusedAttention} <= kinds
    model = fused_only("SwiGLU")
    assert FusedSwiGLU in {type(part) for part in model.modules()}
    assert FusedRMSNorm not in {type(part) for part in model.modules()}


def test_a_saved_state_of_the_plain_model_loads(tokens):
    plain, ours = GPT(CONFIG, seed=1).to(DEVICE), FusedGPT(CONFIG, seed=2).to(DEVICE)
    ours.load_state_dict(plain.state_dict())
    torch.testing.assert_close(ours(tokens), plain(tokens), rtol=1e-4, atol=1e-5)
    positions = torch.arange(7, 15, device=DEVICE)
    torch.testing.assert_close(ours(tokens, positions), plain(tokens, positions), rtol=1e-4, atol=1e-5)


def test_torch_compiles_the_model_as_a_whole(tokens):
    ours = FusedGPT(CONFIG, seed=5).to(DEVICE)
    loss = compiled(ours.loss)(tokens[:, :-1], tokens[:, 1:])
    torch.testing.assert_close(loss, ours.loss(tokens[:, :-1], tokens[:, 1:]))
    loss.backward()
    assert all(weight.grad is not None for weight in ours.parameters())
