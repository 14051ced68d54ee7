"""A layer of experts is a loop over tokens and experts; many small experts cost what few large ones do."""

from __future__ import annotations

from math import comb

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mlsys_core.parallelism.moe import MoE, MoEConfig, combinations, fine_grained, moe_flops
from mlsys_core.workloads.gpt import GPTConfig

SIZES = GPTConfig(dim=12, heads=2, kv_heads=1)


def layer(moe: MoEConfig, seed: int = 0) -> MoE:
    made = MoE(SIZES, moe).double()
    draws = torch.Generator().manual_seed(seed)
    for parameter in made.parameters():
        parameter.data.normal_(generator=draws).mul_(0.4)
    return made


def loop(moe: MoE, x: torch.Tensor) -> torch.Tensor:
    """Token by token, choice by choice, as the equation says."""
    routing, flat = moe.router(x.flatten(0, 1)), x.flatten(0, 1)
    rows = []
    for token, row in enumerate(flat):
        y = torch.zeros_like(row) if moe.shared is None else moe.shared(row)
        for choice in range(routing.experts.shape[1]):
            if routing.kept[token, choice]:
                expert = moe.experts[str(routing.experts[token, choice].item())]
                y = y + routing.weights[token, choice] * expert(row)
        rows.append(y)
    return torch.stack(rows).view(x.shape)


@pytest.mark.parametrize(
    "moe",
    [
        MoEConfig(experts=1, top_k=1, ffn=5),
        MoEConfig(experts=5, top_k=2, ffn=7, capacity_factor=1.0, groups=2),
        MoEConfig(experts=4, top_k=4, ffn=3, capacity_factor=None, shared_ffn=6),
        MoEConfig(experts=9, top_k=1, ffn=4, capacity_factor=0.5, renormalise=False),
    ],
    ids=["one", "dropping", "all", "unused"],
)
def test_outputs_and_gradients_are_those_of_a_loop_over_experts(moe, held):
    """With tokens dropped, experts unused, a part shared by all."""
    made, draws = layer(moe), torch.Generator().manual_seed(7)
    x, cotangent = (torch.randn(2, 6, 12, generator=draws, dtype=torch.float64) for _ in range(2))
    results = []
    for compute in (made, lambda x: loop(made, x)):
        own = x.clone().requires_grad_()
        made.zero_grad()
        y = compute(own)
        y.backward(cotangent)
        zero = {name: torch.zeros_like(p) for name, p in made.named_parameters()}
        grads = {name: zero[name] if p.grad is None else p.grad.clone() for name, p in made.named_parameters()}
        results.append({"y": y.detach(), "x": own.grad, **grads})
    held("MoE layer", "loop over tokens and experts", *results, 1e-13)


def test_a_dropped_token_goes_around_the_layer_and_the_others_are_conserved():
    made = layer(MoEConfig(experts=3, top_k=1, ffn=4, capacity_factor=0.5))
    x = torch.randn(1, 30, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y, routing = made(x)[0], made.routing
    kept = routing.kept[:, 0]
    assert 0 < kept.sum() < 30
    assert not y[~kept].any()
    assert (y[kept].abs().sum(1) > 0).all()
    assert torch.bincount(routing.experts[kept, 0], minlength=3).max() <= 5


@pytest.mark.parametrize(("parts", "shared"), [(1, 0), (2, 0), (4, 0), (4, 1), (2, 3)])
def test_fine_grained_experts_have_the_weights_and_the_work_of_coarse_ones(parts, shared):
    coarse = MoEConfig(experts=4, top_k=2, ffn=16, capacity_factor=None)
    fine = fine_grained(coarse, parts, shared)
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    weights, counted = [], []
    for moe in (coarse, fine):
        made = layer(moe)
        weights.append(sum(p.numel() for name, p in made.named_parameters() if "router" not in name))
        with FlopCounterMode(display=False) as counter:
            made(x)
        assert counter.get_total_flops() == moe_flops(10, 12, moe)
        counted.append(counter.get_total_flops() - 2 * 10 * 12 * moe.experts)
    assert weights[0] == weights[1]
    assert counted[0] == counted[1]
    assert fine.experts + shared == 4 * parts
    assert fine.top_k + shared == 2 * parts


def test_finer_experts_can_be_combined_in_many_more_ways():
    """The example of DeepSeekMoE, section 3.1: 16 experts with 2 chosen, each cut into 4."""
    coarse = MoEConfig(experts=16, top_k=2, ffn=64)
    assert combinations(coarse) == 120
    assert combinations(fine_grained(coarse, 4)) == comb(64, 8) == 4_426_165_368


@pytest.mark.parametrize(("parts", "shared"), [(3, 0), (2, 4), (2, -1)])
def test_experts_that_cannot_be_cut_so_are_told(parts, shared):
    with pytest.raises(ValueError, match=f"Experts of width 16 cannot be cut into {parts} with {shared} of"):
        fine_grained(MoEConfig(experts=4, top_k=2, ffn=16), parts, shared)
