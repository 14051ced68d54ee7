"""ZeRO's bytes: what ranks really hold and send, against the paper's formulas."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.parallelism.zero import Zero, gpt_units, held_bytes, memory_cost, volume_cost
from mlsys_core.parallelism.zero.flat import FlatParameters
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.parallelism.training import TINY, adam, batches
from tests.mlsys_core.parallelism.zero_runs import Case, train

ODD = GPTConfig(vocab_size=13, context=5, dim=6, layers=2, heads=3, kv_heads=1, ffn=7)
EVEN = replace(TINY, layers=2)
PARAMETERS = sum(p.numel() for p in GPT(EVEN).parameters())


def padded(config, ranks):
    """Elements with the padding of each unit, counted from the model's shapes."""
    sizes = [sum({p: p.numel() for m in unit for p in m.parameters()}.values()) for unit in gpt_units(GPT(config))]
    return sum(-(-size // ranks) * ranks for size in sizes)


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_bytes_held_in_mixed_precision_are_the_papers(ranks, held):
    """P_os = (4 + 12/N) Ψ, P_os+g = (2 + 14/N) Ψ, P_os+g+p = 16 Ψ / N: storages that exist after the backward, to the byte."""
    n = Fraction(ranks)
    totals = [16, 4 + 12 / n, 2 + 14 / n, 16 / n]
    for stage, total in enumerate(totals):
        ran, _ = run_ranks(ranks, train, Case(stage, EVEN, dtype=torch.bfloat16, steps=2))
        for one in ran:
            assert one.held == memory_cost(PARAMETERS, ranks, stage)
            assert sum(one.held.values()) == total * PARAMETERS
            held(
                "ZeRO: bytes held",
                "ZeRO, section 3 and figure 1",
                sum(one.held.values()),
                float(total * PARAMETERS),
                0.0,
            )


def test_bytes_held_in_float32_have_no_second_copy():
    for stage in (0, 1, 2, 3):
        ran, _ = run_ranks(4, train, Case(stage, EVEN, steps=2))
        assert ran[0].held == memory_cost(PARAMETERS, 4, stage, parameter_bytes=4, gradient_bytes=4, state_bytes=8)


@pytest.mark.parametrize("ranks", [5, 7])
def test_uneven_sizes_cost_less_than_an_element_a_rank_and_unit(ranks):
    for stage in (1, 2, 3):
        ran, _ = run_ranks(ranks, train, Case(stage, ODD, dtype=torch.bfloat16, steps=2, batch=2 * ranks))
        assert ran[0].held == memory_cost(padded(ODD, ranks), ranks, stage)
    assert 0 < padded(ODD, ranks) - sum(p.numel() for p in GPT(ODD).parameters()) < ranks * len(gpt_units(GPT(ODD)))


def test_in_stage_3_one_unit_is_whole_at_a_time_and_two_with_overlap():
    tokens, targets = batches(EVEN, 1)[0]

    def program(comm, overlap):
        model = GPT(EVEN)
        zero = Zero(model, comm, 3, adam, units=gpt_units(model), overlap=overlap)
        shards = held_bytes(zero)["parameters"]
        seen = []
        for block in model.blocks:
            for part in (block.attn, block.ffn):
                part.register_forward_hook(lambda *_: seen.append(held_bytes(zero)["parameters"] - shards))
                part.register_full_backward_hook(lambda *_: seen.append(held_bytes(zero)["parameters"] - shards))
        for _ in range(2):
            model.loss(tokens, targets).backward()
            zero.step()
        return max(seen), held_bytes(zero)["parameters"] - shards

    block = sum(p.nbytes for p in GPT(EVEN).blocks[0].parameters())
    assert run_ranks(2, program, False)[0] == [(block, 0)] * 2
    assert run_ranks(2, program, True)[0] == [(2 * block, 0)] * 2


@pytest.mark.parametrize("ranks", [2, 3, 7, 16])
def test_elements_sent_are_two_or_three_times_the_parameters(ranks):
    """2 Ψ (N-1)/N in stages 0, 1 and 2, 3 Ψ (N-1)/N in stage 3, from every rank; Ψ with its padding."""
    tied = replace(ODD, tie_embeddings=True)
    for config, stages in ((ODD, (0, 1, 2, 3)), (tied, (3,))):
        for stage in stages:
            _, log = run_ranks(ranks, train, Case(stage, config, steps=1, batch=ranks, overlap=stage > 1))
            total = padded(config, ranks)
            gathers = {0: 0, 1: 1, 2: 1, 3: 2}[stage]
            for rank in range(ranks):
                once = Fraction(total * (ranks - 1), ranks) * 4
                reduced = 2 if stage == 0 else 1
                assert log.sent_bytes(rank, "gather") == gathers * once
                assert log.sent_bytes(rank, "reduce") == reduced * once
                labelled = log.sent_bytes(rank, "gather") + log.sent_bytes(rank, "reduce")
                assert labelled == 4 * volume_cost(total, ranks, stage)


def test_what_is_frozen_is_gathered_but_never_reduced():
    frozen = ("blocks.0",)
    _, log = run_ranks(2, train, Case(3, EVEN, frozen=frozen, steps=1))
    still = sum(p.numel() for p in GPT(EVEN).blocks[0].parameters())
    assert log.sent_bytes(0, "reduce") == 4 * (PARAMETERS - still) // 2
    assert log.sent_bytes(0, "gather") == 4 * 2 * PARAMETERS // 2
    _, log = run_ranks(2, train, Case(2, EVEN, frozen=frozen, steps=1))
    assert log.sent_bytes(0, "gather") == 4 * (PARAMETERS - still) // 2


def test_the_papers_example_of_memory():
    """7.5 B parameters on 64 ranks: 120, 31.4, 16.6 and 1.88 GB (figure 1)."""
    totals = [float(sum(memory_cost(7_500_000_000, 64, stage).values())) / 1e9 for stage in (0, 1, 2, 3)]
    assert totals == pytest.approx([120, 31.4, 16.6, 1.88], rel=5e-3)


def test_a_flat_buffer_can_go_and_come_back_under_its_views():
    model = GPT(ODD)
    expected = {name: p.detach().clone() for name, p in model.named_parameters()}
    flat = FlatParameters(dict(model.named_parameters()), 5, torch.float32)
    assert flat.padded % 5 == 0
    assert 0 <= flat.padded - flat.numel < 5
    kept = flat.whole.clone()
    flat.free()
    assert not flat.there
    assert flat.whole.untyped_storage().nbytes() == 0
    flat.allocate()
    flat.whole.copy_(kept)
    for name, p in model.named_parameters():
        assert torch.equal(p, expected[name])
        assert p.untyped_storage().data_ptr() == flat.whole.untyped_storage().data_ptr()
    assert torch.equal(torch.cat([flat.shard(flat.whole, rank) for rank in range(5)]), kept)
