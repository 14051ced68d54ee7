"""The router's choices, its losses, and who finds room."""

from __future__ import annotations

from collections import Counter
from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.parallelism.moe import MoEConfig, TopKRouter, balance_loss, capacity, z_loss


def router(dim: int, config: MoEConfig, seed: int = 0) -> TopKRouter:
    made = TopKRouter(dim, config).double()
    made.weight.data.normal_(generator=torch.Generator().manual_seed(seed))
    return made


def tokens(seed: int, count: int, dim: int) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("renormalise", [True, False])
@pytest.mark.parametrize(("experts", "top_k"), [(1, 1), (4, 1), (7, 3), (5, 5)])
def test_the_k_best_are_chosen_with_their_softmax_weights(experts, top_k, renormalise, held):
    config = MoEConfig(experts=experts, top_k=top_k, renormalise=renormalise)
    layer, x = router(6, config), tokens(1, 11, 6)
    routing = layer(x)
    scores = x.numpy() @ layer.weight.detach().numpy().T
    weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    order = np.argsort(-weights, axis=1)[:, :top_k]
    chosen = np.take_along_axis(weights, order, 1)
    assert (routing.experts.numpy() == order).all()
    expected = chosen / chosen.sum(1, keepdims=True) if renormalise else chosen
    held("TopKRouter", "numpy sort and softmax", routing.weights, expected, 1e-13)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 40),
    experts=st.integers(1, 6),
    data=st.data(),
    factor=st.sampled_from([None, 0.3, 1.0, 1.1, 1.25, 2.0]),
)
def test_room_is_given_in_order_and_never_more_than_the_capacity(count, experts, data, factor):
    """Brute force: first choices in the order of tokens, then second ones; each takes a place while there is one."""
    top_k = data.draw(st.integers(1, experts))
    config = MoEConfig(experts=experts, top_k=top_k, capacity_factor=factor)
    routing = router(3, config, seed=count)(tokens(count, count, 3))
    room, taken = capacity(count, config), Counter()
    for choice in range(top_k):
        for token in range(count):
            expert = int(routing.experts[token, choice])
            assert bool(routing.kept[token, choice]) == (taken[expert] < room)
            taken[expert] += taken[expert] < room
    assert int(routing.kept.sum()) == sum(taken.values())
    assert routing.dropped == pytest.approx(1 - sum(taken.values()) / (count * top_k))
    assert factor is not None or routing.dropped == 0


def test_the_capacity_is_rounded_up_once_and_exactly():
    for count, experts, top_k, factor in [(8, 4, 1, 1.0), (9, 4, 1, 1.0), (7, 3, 2, 1.25), (100, 8, 2, 2.0)]:
        config = MoEConfig(experts=experts, top_k=top_k, capacity_factor=factor)
        assert capacity(count, config) == ceil(top_k * count / experts * factor)
    assert capacity(100, MoEConfig(experts=10, top_k=1, capacity_factor=1.1)) == 11, "and not 12 as in binary fractions"
    assert capacity(100, MoEConfig(capacity_factor=None)) == 100


@pytest.mark.parametrize("experts", [2, 5, 8])
def test_perfect_balance_costs_a_and_a_collapse_e_times_that(experts):
    even = torch.full((3 * experts, experts), 1 / experts, dtype=torch.float64)
    chosen = torch.arange(3 * experts)[:, None] % experts
    assert balance_loss(even, chosen, 0.01).item() == pytest.approx(0.01)
    collapsed = torch.zeros_like(even)
    collapsed[:, 0] = 1
    assert balance_loss(collapsed, torch.zeros_like(chosen), 0.01).item() == pytest.approx(0.01 * experts)


def test_both_losses_are_their_formulas_and_groups_take_their_mean(held):
    config = MoEConfig(experts=5, top_k=2, aux_weight=0.3, z_weight=0.2, groups=3)
    layer, x = router(4, config), tokens(2, 12, 4)
    expected = []
    for group in x.chunk(3):
        logits = group @ layer.weight.T
        weights = logits.exp() / logits.exp().sum(1, keepdim=True)
        chosen = Counter(weights.topk(2).indices.flatten().tolist())
        balance = 0.3 * 5 * sum(chosen[e] / 8 * weights[:, e].mean() for e in range(5))
        expected.append(balance + 0.2 * logits.exp().sum(1).log().square().mean())
    found = layer(x).loss
    held("balance and z-loss", "sums over experts (torch autograd)", found, sum(expected) / 3, 1e-13)
    grads = [torch.autograd.grad(loss, layer.weight)[0] for loss in (found, sum(expected) / 3)]
    held("balance and z-loss", "sums over experts (torch autograd)", *grads, 1e-13)


def test_the_balance_loss_pulls_the_shares_together_and_the_z_loss_makes_logits_small():
    config = MoEConfig(experts=4, top_k=1, aux_weight=1.0, z_weight=0.01, capacity_factor=None)
    layer, x = router(8, config), tokens(3, 256, 8)
    x[:, 0] += 2.0  # all tokens have something in common, and so a favourite

    def worst() -> float:
        return torch.bincount(layer(x).experts.flatten(), minlength=4).max().item() / 256

    before, norm = worst(), z_loss(x @ layer.weight.T, 1.0).item()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
    for _ in range(100):
        optimizer.zero_grad()
        layer(x).loss.backward()
        optimizer.step()
    assert before > 0.4
    assert worst() < 0.32
    assert z_loss(x @ layer.weight.T, 1.0).item() < norm


def test_more_room_drops_fewer_and_the_seeded_table_stays():
    """4096 tokens, 16 experts, 2 each, by a router that has not learned: the table of the page."""
    x, found = tokens(0, 4096, 32), {}
    for factor in (1.0, 1.25, 2.0):
        layer = router(32, MoEConfig(experts=16, top_k=2, capacity_factor=factor))
        routing = layer(x)
        counts = torch.bincount(routing.experts.flatten(), minlength=16)
        over = (counts - capacity(4096, layer.config)).clamp(min=0).sum().item()
        assert routing.dropped == pytest.approx(over / (2 * 4096)), "what is dropped is what is over"
        found[factor] = routing.dropped
    assert found[1.0] > found[1.25] > found[2.0] == 0
    assert found[1.0] < 0.25


def test_what_cannot_be_chosen_or_grouped_is_told():
    with pytest.raises(ValueError, match="A token cannot go to 3 of 2 experts"):
        MoEConfig(experts=2, top_k=3)
    with pytest.raises(ValueError, match="7 tokens cannot form 2 equal groups"):
        router(3, MoEConfig(groups=2))(tokens(0, 7, 3))
