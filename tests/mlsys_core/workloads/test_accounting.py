"""The GPT's counts are torch's own: parameters, FLOPs, bytes kept, bytes moved."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from mlsys_core.workloads import accounting
from mlsys_core.workloads import operations as o
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.workloads.torch_counts import agree, flops, moved_bytes


def drawn(seed):
    """Sizes of a model, a batch, a length, and a type; heads are at least 4 wide, since torch's kernel takes none of 2."""
    draw = Random(seed)
    kv_heads, width = draw.choice((1, 2, 3)), 2 * draw.randint(2, 5)
    heads = kv_heads * draw.choice((1, 2, 3))
    config = GPTConfig(
        vocab_size=draw.randint(2, 40),
        dim=heads * width,
        layers=draw.randint(1, 3),
        heads=heads,
        kv_heads=kv_heads,
        ffn=draw.randint(1, 30),
        tie_embeddings=draw.random() < 0.4,
    )
    return config, draw.randint(1, 4), draw.randint(1, 12), draw.choice((torch.float32, torch.float64))


def made(config, batch, time, dtype):
    """A model and its loss on random tokens, as a function of nothing."""
    model = GPT(config).to(dtype)
    tokens, targets = (torch.randint(config.vocab_size, (batch, time)) for _ in range(2))
    return model, lambda: model.loss(tokens, targets)


@pytest.mark.parametrize("seed", range(16))
def test_parameters_flops_and_kept_bytes_are_torchs_for_any_sizes(seed):
    config, batch, time, dtype = drawn(seed)
    model, loss = made(config, batch, time, dtype)
    agree(loss, model, accounting.gpt(config, batch, time, size=dtype.itemsize))


@pytest.mark.parametrize("seed", range(100, 104))
def test_without_recomputed_scores_flops_are_those_of_plain_products(seed):
    """torch's attention of plain matrix products keeps its scores, so its backward pass has four products."""
    config, batch, time, dtype = drawn(seed)
    _, loss = made(config, batch, time, dtype)
    with sdpa_kernel(SDPBackend.MATH):
        found = flops(loss)
    counted = accounting.gpt(config, batch, time, recompute=False)
    assert (o.total(counted, "forward").flops, o.total(counted).flops) == found
    assert found[1] == 3 * found[0]


@pytest.mark.parametrize("seed", range(200, 206))
def test_products_and_attention_move_the_bytes_that_their_kernels_take_and_give(seed):
    config, batch, time, dtype = drawn(seed)
    _, loss = made(config, batch, time, dtype)
    moved = moved_bytes(loss)
    parts = o.by_part(accounting.gpt(config, batch, time, size=dtype.itemsize))
    assert sum(parts[part].memory for part in ("projections", "ffn", "head")) == moved["mm"]
    attention = (name for name in moved if name.startswith("_scaled_dot_product"))
    assert parts["scores"].memory == sum(moved[name] for name in attention)


@pytest.mark.parametrize("seed", range(300, 340))
def test_the_closed_form_of_the_parameters_is_the_sum_over_operations(seed):
    config, batch, time, _ = drawn(seed)
    assert accounting.parameters(config) == o.parameters(accounting.gpt(config, batch, time))
    untied = replace(config, tie_embeddings=False)
    table = config.vocab_size * config.dim
    assert accounting.non_embedding(config) == accounting.parameters(untied) - table


@pytest.mark.parametrize("seed", range(400, 410))
def test_six_nd_forgets_attention_and_nothing_else(seed):
    """Every weight but the vectors of normalisations multiplies each token once, forward, and twice, backward."""
    config, batch, time, _ = drawn(seed)
    counted = accounting.gpt(config, batch, time)
    scores = o.by_part(counted)["scores"].flops
    assert scores == 14 * batch * config.layers * config.dim * time * time
    vectors = (2 * config.layers + 1) * config.dim
    weights = accounting.non_embedding(config) - vectors
    assert accounting.six_nd(weights, batch * time) == o.total(counted).flops - scores
    approximate = accounting.six_nd(accounting.non_embedding(config), batch * time)
    assert accounting.six_nd_error(config, batch, time) == pytest.approx(approximate / o.total(counted).flops - 1)


def test_six_nd_is_better_the_wider_the_model_and_worse_the_longer_the_text():
    wide, narrow = (GPTConfig(50_257, dim=d, heads=16, kv_heads=16, ffn=8 * d // 3, layers=24) for d in (12_288, 1024))
    errors = [accounting.six_nd_error(config, 1, time) for config in (wide, narrow) for time in (512, 2048, 8192)]
    assert errors == sorted(errors[:3], reverse=True) + sorted(errors[3:], reverse=True)
    assert -0.05 < errors[1] < 0
    assert errors[5] < -0.5


def test_kept_bytes_grow_with_tokens_and_not_with_their_square():
    """Fused attention keeps no scores: at a fixed number of tokens the length hardly matters."""
    config = GPTConfig(layers=3)
    long, short = (o.saved(accounting.gpt(config, batch, time)) for batch, time in ((1, 4096), (64, 64)))
    assert 1 < long / short < 1.06, "only the tables of rotations are longer"


@pytest.mark.parametrize(("mixed", "moments"), [(False, 0), (False, 1), (False, 2), (True, 2)])
def test_state_is_what_torchs_optimizer_holds(mixed, moments):
    model = GPT(GPTConfig())
    held = torch.float32 if not mixed else torch.bfloat16
    if mixed:
        master = [parameter.detach().clone() for parameter in model.parameters()]
        model = model.to(held)
    made = (
        torch.optim.Adam(master if mixed else model.parameters())
        if moments == 2
        else torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9 * moments)
    )
    model.loss(*(torch.randint(65, (1, 4)) for _ in range(2))).backward()
    if mixed:
        for copy, parameter in zip(master, model.parameters(), strict=True):
            copy.grad = parameter.grad.float()
    made.step()
    found = accounting.state_bytes(sum(p.numel() for p in model.parameters()), mixed=mixed, moments=moments)
    assert found.weights == found.gradients == sum(p.numel() * p.itemsize for p in model.parameters())
    kept = [value for state in made.state.values() for value in state.values() if torch.is_tensor(value) and value.ndim]
    copies = sum(copy.numel() * 4 for copy in master) if mixed else 0
    assert found.optimizer == sum(value.numel() * value.itemsize for value in kept) + copies
    assert found.total == found.weights + found.gradients + found.optimizer


def test_adam_needs_16_bytes_a_parameter_in_mixed_precision_and_without():
    assert accounting.state_bytes(10**9, mixed=True).total == accounting.state_bytes(10**9).total == 16 * 10**9


def test_the_published_sizes_of_llama_follow():
    """LLaMA's 7B and 13B (arXiv 2302.13971, table 2) have 6.7 and 13.0 billion parameters, at these widths."""
    seven = GPTConfig(32_000, dim=4096, layers=32, heads=32, kv_heads=32, ffn=11_008)
    thirteen = GPTConfig(32_000, dim=5120, layers=40, heads=40, kv_heads=40, ffn=13_824)
    assert round(accounting.parameters(seven) / 1e9, 1) == 6.7
    assert round(accounting.parameters(thirteen) / 1e9, 1) == 13.0
