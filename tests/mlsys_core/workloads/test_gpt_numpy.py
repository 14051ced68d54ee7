"""The two GPTs are one function: logits, losses, every gradient, and a run of training are equal."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch

from mlsys_core.autodiff import grad, hvp, optim
from mlsys_core.workloads import gpt_numpy
from mlsys_core.workloads.gpt import GPT, GPTConfig
from mlsys_core.workloads.gpt import rope as torch_rope


def twins(seed, dtype=np.float64, **sizes):
    """The same model twice, with weights far from their small beginnings, and random tokens and targets."""
    draw = Random(seed)
    kv_heads, width = draw.choice((1, 2, 3)), 2 * draw.randint(1, 4)
    heads = kv_heads * draw.choice((1, 2, 3))
    drawn = {
        "vocab_size": draw.randint(2, 30),
        "dim": heads * width,
        "layers": draw.randint(1, 3),
        "heads": heads,
        "kv_heads": kv_heads,
        "ffn": draw.randint(1, 20),
        "rope_theta": draw.choice((100.0, 10_000.0)),
        "norm_eps": draw.choice((1e-5, 1e-2)),
        "tie_embeddings": draw.random() < 0.4,
    }
    config = GPTConfig(**(drawn | sizes))
    ours = gpt_numpy.GPT(config, np.random.default_rng(seed), dtype)
    theirs = GPT(config, seed).to(torch.float64 if dtype is np.float64 else torch.float32)
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=draws, dtype=weight.dtype))
    ours.load_state_dict(theirs.state_dict())
    rng = np.random.default_rng(seed)
    shape = (draw.randint(1, 3), draw.randint(1, 9))
    tokens, targets = (rng.integers(config.vocab_size, size=shape) for _ in range(2))
    return ours, theirs, tokens, targets


@pytest.mark.parametrize("seed", range(14))
def test_logits_loss_and_every_gradient_are_torchs(held, seed):
    ours, theirs, tokens, targets = twins(seed)
    held("workloads: GPT on autodiff", "GPT on torch, float64", ours(tokens).data, theirs(torch.tensor(tokens)), 1e-12)
    loss, expected = ours.loss(tokens, targets), theirs.loss(torch.tensor(tokens), torch.tensor(targets))
    loss.backward()
    expected.backward()
    held("workloads: GPT on autodiff", "GPT on torch, float64", loss.data, expected, 1e-12)
    # a tied table has two names here and one there
    found = {
        name: p.grad.data
        for name, p in ours.named_parameters()
        if not (name == "head.weight" and theirs.config.tie_embeddings)
    }
    wanted = {name: p.grad for name, p in theirs.named_parameters()}
    held("workloads: GPT on autodiff", "GPT on torch, float64", found, wanted, 1e-11)


@pytest.mark.parametrize("seed", range(20, 24))
def test_logits_contracted_with_a_random_cotangent_have_the_same_gradient(held, seed):
    ours, theirs, tokens, _ = twins(seed, tie_embeddings=False)
    logits, expected = ours(tokens), theirs(torch.tensor(tokens))
    cotangent = np.random.default_rng(seed).standard_normal(logits.shape)
    found = grad(logits, ours.parameters(), cotangent)
    wanted = torch.autograd.grad(expected, list(theirs.parameters()), torch.tensor(cotangent))
    names = dict(theirs.named_parameters())
    order = [name for name, _ in ours.named_parameters()]
    by_name = dict(zip(names, wanted, strict=True))
    held(
        "workloads: GPT on autodiff",
        "GPT on torch, float64",
        [g.data for g in found],
        [by_name[n] for n in order],
        1e-11,
    )


@pytest.mark.parametrize("seed", range(30, 34))
def test_tokens_may_stand_later_in_a_longer_text(held, seed):
    ours, theirs, tokens, _ = twins(seed)
    positions = np.arange(tokens.shape[1]) * 3 + 17
    wanted = theirs(torch.tensor(tokens), torch.tensor(positions))
    held("workloads: GPT on autodiff", "GPT on torch, float64", ours(tokens, positions).data, wanted, 1e-12)


@pytest.mark.parametrize("seed", range(40, 46))
def test_rotations_are_products_of_complex_numbers(held, seed):
    """x_i + i x_{i+D/2} turns by e^{i position rate}; both spellings are held against it."""
    rng = np.random.default_rng(seed)
    time, half = int(rng.integers(1, 9)), int(rng.integers(1, 6))
    x, positions = rng.standard_normal((2, time, 2 * half)), rng.integers(0, 1000, time)
    rates = 10_000.0 ** (-np.arange(half) / half)
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * positions[:, None] * rates)
    expected = np.concatenate([turned.real, turned.imag], axis=-1)
    ours = gpt_numpy.rope(gpt_numpy.Tensor(x), *gpt_numpy.rotations(positions, 2 * half, 10_000.0, np.float64)).data
    theirs = torch_rope(torch.tensor(x), torch.tensor(positions), 10_000.0)
    held("workloads: rotary positions", "complex products in numpy", [ours, theirs], [expected, expected], 1e-12)


def test_ten_steps_of_adamw_end_at_the_same_weights(held):
    ours, theirs, *_ = twins(7, tie_embeddings=False, layers=2)
    mine = optim.AdamW(ours.parameters(), lr=3e-3, weight_decay=0.1)
    reference = torch.optim.AdamW(theirs.parameters(), lr=3e-3, weight_decay=0.1)
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(10):
        tokens, targets = (rng.integers(ours.config.vocab_size, size=(3, 5)) for _ in range(2))
        loss, expected = ours.loss(tokens, targets), theirs.loss(torch.tensor(tokens), torch.tensor(targets))
        for model, optimizer, value in ((ours, mine, loss), (theirs, reference, expected)):
            model.zero_grad()
            value.backward()
            optimizer.step()
        losses.append((loss.item(), expected.item()))
    held(
        "workloads: GPT on autodiff, 10 steps",
        "torch.optim.AdamW",
        [a for a, _ in losses],
        [b for _, b in losses],
        1e-10,
    )
    wanted = dict(theirs.named_parameters())
    held(
        "workloads: GPT on autodiff, 10 steps",
        "torch.optim.AdamW",
        {n: p.data for n, p in ours.named_parameters()},
        wanted,
        1e-9,
    )


def test_curvature_along_a_direction_is_torchs(held):
    """Second derivatives pass through every fused operation's definition."""
    ours, theirs, tokens, targets = twins(3, tie_embeddings=False, layers=1, norm_eps=1e-2)
    weight = ours.blocks[0].attn.k_proj.weight
    direction = np.random.default_rng(1).standard_normal(weight.shape)

    def loss_of(value):
        ours.blocks[0].attn.k_proj.weight = value
        return ours.loss(tokens, targets)

    found = hvp(loss_of, weight.data, direction)
    k = theirs.blocks[0].attn.k_proj.weight
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        loss = theirs.loss(torch.tensor(tokens), torch.tensor(targets))
        (first,) = torch.autograd.grad(loss, k, create_graph=True)
        (wanted,) = torch.autograd.grad((first * torch.tensor(direction)).sum(), k)
    held("workloads: GPT on autodiff, curvature", "torch.autograd twice", found.data, wanted, 1e-10)


@pytest.mark.parametrize("seed", range(50, 53))
def test_float32_stays_float32(held, seed):
    ours, theirs, tokens, targets = twins(seed, np.float32)
    loss = ours.loss(tokens, targets)
    assert loss.dtype == np.float32
    loss.backward()
    assert all(p.grad.dtype == np.float32 for p in ours.parameters())
    held(
        "workloads: GPT on autodiff, float32",
        "GPT on torch, float32",
        loss.data,
        theirs.loss(torch.tensor(tokens), torch.tensor(targets)),
        1e-5,
    )


def test_both_begin_from_the_same_distribution():
    config = GPTConfig(vocab_size=300, dim=64, layers=3, tie_embeddings=True)
    ours, theirs = gpt_numpy.GPT(config, np.random.default_rng(0)), GPT(config)
    for name, weight in ours.named_parameters():
        if weight.ndim == 2:
            other = theirs.state_dict()[name].std().item()
            assert weight.data.std() == pytest.approx(other, rel=0.05)
    assert ours.head.weight is ours.embed.weight
    assert len(ours.parameters()) == len(list(theirs.parameters()))
