"""Experts on several ranks are the experts of one rank; what is sent follows from what was routed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mlsys_core.parallelism.collectives import chunk_sizes
from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.parallelism.moe import MoE, MoEConfig, MoEGPT, expert_parallel, expert_parallel_cost
from mlsys_core.workloads.gpt import GPTConfig
from tests.mlsys_core.parallelism.split_programs import EXPERTS, by_experts, experts_on_one_rank, joined
from tests.mlsys_core.parallelism.training import TINY, batches

SIZES = GPTConfig(dim=8, heads=2, kv_heads=1)


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer(moe: MoEConfig) -> MoE:
    made = MoE(SIZES, moe).double()
    for seed, parameter in enumerate(made.parameters()):
        parameter.data.copy_(0.5 * draw(seed, *parameter.shape))
    return made


def counts(made: MoE, group: torch.Tensor) -> list[int]:
    """Rows of a group of tokens that go to each expert."""
    routing = made.router(group.flatten(0, 1))
    return torch.bincount(routing.experts[routing.kept], minlength=made.moe.experts).tolist()


@pytest.mark.parametrize("capacity_factor", [None, 1.0])
@pytest.mark.parametrize(("ranks", "experts", "top_k"), [(1, 3, 1), (2, 5, 2), (3, 3, 1), (4, 10, 3), (8, 9, 2)])
def test_outputs_gradients_and_bytes_are_those_of_one_rank(ranks, experts, top_k, capacity_factor, held):
    """Each rank has a part of the batch; experts that no number of ranks divides; some that nobody asks."""
    moe = MoEConfig(experts=experts, top_k=top_k, ffn=5, capacity_factor=capacity_factor, shared_ffn=3)
    x, cotangent = draw(20, ranks, 7, 8), draw(21, ranks, 7, 8)

    def program(comm):
        made = layer(moe)
        made.keep_own(comm)
        own = x[comm.rank : comm.rank + 1].clone().requires_grad_()
        y = made(own)
        forward = comm.sent_bytes
        y.backward(cotangent[comm.rank : comm.rank + 1])
        grads = {name: p.grad for name, p in made.named_parameters()}
        return y.detach(), own.grad, grads, forward, comm.sent_bytes - forward

    results, _ = run_ranks(ranks, program)
    alone, own = layer(replace(moe, groups=ranks)), x.clone().requires_grad_()
    y = alone(own)
    y.backward(cotangent)
    held("expert parallel layer", "the same layer on one rank", torch.cat([r[0] for r in results]), y, 1e-13)
    held("expert parallel layer", "the same layer on one rank", torch.cat([r[1] for r in results]), own.grad, 1e-13)
    grads = {
        name: next(r[2][name] for r in results if name in r[2])
        if name.startswith("experts")
        else sum(r[2][name] for r in results)
        for name, _ in alone.named_parameters()
    }
    expected = {name: p.grad for name, p in alone.named_parameters()}
    held("expert parallel layer", "the same layer on one rank", grads, expected, 1e-13)
    routed = [counts(layer(moe), x[rank : rank + 1]) for rank in range(ranks)]
    cost = expert_parallel_cost(routed, chunk_sizes(experts, ranks), 8, element_size=8)
    assert [sum(r[3] for r in results), sum(r[4] for r in results)] == [cost.forward, cost.backward]


@pytest.mark.parametrize("ranks", [2, 4, 8, 16])
def test_rows_leave_and_come_back_and_none_is_lost(ranks):
    """By the log: what is dispatched over each link comes back over it, forward and backward; counts go before."""
    moe, x = MoEConfig(experts=ranks + 1, top_k=2, ffn=4, capacity_factor=None), draw(3, ranks, 5, 8)

    def program(comm):
        made = layer(moe)
        made.keep_own(comm)
        made(x[comm.rank : comm.rank + 1])

    _, log = run_ranks(ranks, program)
    sent = {(m.source, m.to): m.size for m in log.of("dispatch")}
    back = {(m.to, m.source): m.size for m in log.of("combine")}
    assert sent == back
    assert len(sent) == ranks * (ranks - 1)
    routed, sizes = [counts(layer(moe), x[rank : rank + 1]) for rank in range(ranks)], chunk_sizes(ranks + 1, ranks)
    assert all(sum(rows) == 2 * 5 for rows in routed), "every token reaches both of its experts"
    for (source, to), size in sent.items():
        first = sum(sizes[:to])
        assert size == sum(routed[source][first : first + sizes[to]]) * 8 * 8
    assert sum(m.size for m in log.of("counts")) == (ranks - 1) * (ranks + 1) * 8


def test_where_it_is_balanced_each_rank_sends_its_share_of_all_choices():
    ranks, tokens, top_k, dim = 4, 24, 2, 16
    even = [[tokens * top_k // 8] * 8] * ranks
    rows = expert_parallel_cost(even, [2] * ranks, dim).backward / ranks
    assert rows == 2 * top_k * tokens * dim * 4 * (ranks - 1) / ranks


def test_ten_steps_are_those_of_one_rank(held):
    """Six experts on four ranks, which have two, two, one and one."""
    traces, _ = run_ranks(4, by_experts)
    found, alone = joined(traces), experts_on_one_rank(4)
    held("expert-parallel GPT, step 1", "the same GPT on one rank", found.gradients, alone.gradients, 1e-6)
    held("expert-parallel GPT, losses", "the same GPT on one rank", found.losses, alone.losses, 1e-6)
    held("expert-parallel GPT, 10 steps", "the same GPT on one rank", found.weights, alone.weights, 5e-5)


def test_one_expert_for_all_is_the_dense_model(held):
    """With its weights in the one expert, and no loss for balance, the GPT of experts is the GPT."""
    moe = MoEConfig(experts=1, top_k=1, ffn=TINY.ffn, capacity_factor=None, aux_weight=0.0)
    model, (tokens, targets) = MoEGPT(TINY, moe), batches(TINY, steps=1)[0]
    entropy = torch.nn.functional.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())
    held("GPT of experts", "F.cross_entropy", model.loss(tokens, targets), entropy, 1e-7)
    with_losses = MoEGPT(TINY, replace(moe, aux_weight=0.01))
    # four layers, each perfectly balanced over its one expert
    held("GPT of experts", "F.cross_entropy", with_losses.loss(tokens, targets), entropy + 4 * 0.01, 1e-6)


def test_each_rank_keeps_its_own_experts_and_the_model_all():
    model = MoEGPT(TINY, EXPERTS)

    def program(comm):
        return [list(moe.experts) for moe in expert_parallel(model, comm).moes]

    kept, _ = run_ranks(4, program)
    assert [own[0] for own in kept] == [["0", "1"], ["2", "3"], ["4"], ["5"]]
    assert all(len(moe.experts) == 6 for moe in model.moes)
    with pytest.raises(ValueError, match="A set of experts of 6 cannot be cut for 7 ranks"):
        run_ranks(7, program)
