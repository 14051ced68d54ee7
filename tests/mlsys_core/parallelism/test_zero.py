"""ZeRO's stages: equal to unsharded training, mostly to the bit, whatever is tied, frozen, clipped or in 16 bits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mlsys_core.parallelism.communication import Fabric, run_ranks
from mlsys_core.parallelism.zero import Zero, gpt_units, held_bytes
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.parallelism.training import TINY, adam, batches, single_process
from tests.mlsys_core.parallelism.zero_runs import Case, adamw, model_of, momentum, train, unsharded

TIED = replace(TINY, tie_embeddings=True)
# sizes that no number of ranks divides
ODD = GPTConfig(vocab_size=13, context=5, dim=6, layers=3, heads=3, kv_heads=1, ffn=7)
ODD_TIED = replace(ODD, tie_embeddings=True)


def equal_bits(found, expected):
    """Whether two dictionaries of tensors are the same to the bit."""
    assert set(found) == set(expected)
    return all(torch.equal(found[name], expected[name]) for name in found)


def of_all(ran):
    """One trace of the ranks': the mean of their losses; gradients and weights, which all ranks must have alike."""
    first = ran[0].trace
    for one in ran[1:]:
        assert equal_bits(one.trace.weights, first.weights)
        assert equal_bits(one.trace.gradients, first.gradients)
    losses = [sum(step) / len(ran) for step in zip(*(one.trace.losses for one in ran), strict=True)]
    return replace(first, losses=losses)


def test_ten_steps_on_four_ranks_equal_one_process(held):
    ran, _ = run_ranks(4, train, Case(3, TIED))
    held("ZeRO stage 3", "one process", of_all(ran).as_dict(), single_process(TIED).as_dict(), 1e-5)


CASES = [
    Case(0, ODD, steps=3),
    Case(0, ODD, steps=3, optimizer=adamw),
    Case(0, ODD_TIED, steps=3, optimizer=momentum),
    Case(0, ODD_TIED, steps=3, dtype=torch.bfloat16),
    Case(0, ODD, steps=3, frozen=("embed", "blocks.0.attn.o_proj", "blocks.1", "head")),
    Case(0, ODD_TIED, steps=3, frozen=("blocks.2.attn", "norm")),
]


@pytest.mark.parametrize("case", CASES, ids=["plain", "AdamW", "momentum, tied", "16 bits", "frozen", "frozen, tied"])
def test_with_two_ranks_every_stage_has_the_bits_of_the_unsharded_run(case, held):
    """A sum of two has one order, so nothing may differ: not by where shards end, nor by when gradients are reduced."""
    expected = unsharded(case, 2).trace
    for stage, overlap in [(0, False), (1, False), (2, True), (3, False), (3, True)]:
        ran, _ = run_ranks(2, train, replace(case, stage=stage, overlap=overlap))
        found = of_all(ran)
        assert equal_bits(found.gradients, expected.gradients)
        assert equal_bits(found.weights, expected.weights)
        held("ZeRO, two ranks", "unsharded torch optimizer, bits", found.weights, expected.weights, 0.0)


def test_with_more_ranks_the_stages_have_the_bits_of_each_other(held):
    """Rings of every stage add in the same order; the unsharded run adds in another one, and rounds otherwise."""
    ranks, case = 3, Case(0, ODD, steps=3, batch=11, max_norm=0.5)
    expected = unsharded(case, ranks)
    plain, _ = run_ranks(ranks, train, case)
    for stage in (1, 2, 3):
        ran, _ = run_ranks(ranks, train, replace(case, stage=stage, overlap=stage > 1))
        assert equal_bits(of_all(ran).gradients, of_all(plain).gradients)
        held("ZeRO, odd sizes", "unsharded run", of_all(ran).as_dict(), expected.trace.as_dict(), 1e-5)


def test_gradients_of_several_backwards_add_up(held):
    """From stage 2 on each backward is reduced for itself, so the order of the sum is another one, and so are last bits."""
    case = Case(0, ODD_TIED, steps=3, accumulate=2)
    expected = unsharded(case, 2).trace
    for stage in (0, 1, 2, 3):
        ran, _ = run_ranks(2, train, replace(case, stage=stage, overlap=stage > 1))
        held("ZeRO: accumulation", "unsharded run", of_all(ran).as_dict(), expected.as_dict(), 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_norm_that_clips_is_that_of_all_gradients(dtype, held):
    """Against torch.nn.utils.clip_grad_norm_ on whole gradients; a limit so low that it always acts, and one that never does."""
    for limit in (0.02, 100.0):
        case = Case(0, ODD_TIED, dtype=dtype, max_norm=limit, steps=3)
        expected = unsharded(case, 2)
        tolerance = 1e-5 if dtype == torch.float32 else 2e-3  # gradients are scaled in 16 bits here, in 32 there
        for stage in (0, 1, 3):
            ran, _ = run_ranks(2, train, replace(case, stage=stage))
            assert ran[0].norms == ran[1].norms
            held("ZeRO: global norm", "torch clip_grad_norm_", ran[0].norms, expected.norms, tolerance)
            held(
                "ZeRO: clipped training",
                "torch clip_grad_norm_",
                of_all(ran).weights,
                expected.trace.weights,
                tolerance,
            )


def test_what_is_frozen_stays_and_has_no_state():
    case = Case(3, ODD, frozen=("blocks.1", "embed"), steps=2)
    before = {name: p.detach().clone() for name, p in model_of(case).named_parameters()}
    ran, _ = run_ranks(3, train, case)
    after = ran[0].trace.weights
    assert [name for name in after if torch.equal(after[name], before[name])] == [
        name for name in before if name.startswith(case.frozen)
    ]
    trained = [p.numel() for name, p in before.items() if not name.startswith(case.frozen)]
    assert sum(g.numel() for g in ran[0].trace.gradients.values()) == sum(trained)
    assert ran[0].held["states"] < 8 * (sum(trained) / 3 + 10)


def test_a_parameter_that_no_loss_reaches_is_left_alone():
    """The last block is skipped: its unit is never gathered, and its gradient is zero."""

    def program(comm, stage):
        model = GPT(ODD)
        zero = Zero(model, comm, stage, adam, units=gpt_units(model), overlap=True)
        skipped = model.blocks.pop(2)
        for tokens, targets in batches(ODD, 3):
            model.loss(tokens, targets).backward()
            zero.step()
        assert skipped.attn_norm.weight.grad is None or not skipped.attn_norm.weight.grad.any()
        return zero.weights()

    kept = dict(GPT(ODD).named_parameters())
    for stage in (1, 3):
        ran, _ = run_ranks(2, program, stage)
        for name, weight in ran[0].items():
            assert torch.equal(weight, kept[name]) == name.startswith("blocks.2")


def test_a_model_that_is_only_read_holds_no_more_than_its_shards():
    tokens, targets = batches(TINY, 1)[0]

    def program(comm):
        model = GPT(TINY)
        zero = Zero(model, comm, 3, adam, units=gpt_units(model))
        with torch.no_grad():
            loss = model.loss(tokens, targets).item()
        return loss, held_bytes(zero)["parameters"]

    ran, _ = run_ranks(4, program)
    whole = GPT(TINY)
    assert ran[0][0] == whole.loss(tokens, targets).item()
    assert ran[0][1] == sum(p.nbytes for p in whole.parameters()) // 4


def test_gathering_ahead_hides_messages_behind_computation():
    """By the clock of the model: transfers beside, while blocks compute; the same bytes, and less time."""
    tokens, targets = batches(TINY, 1)[0]

    def program(comm, overlap):
        model = GPT(TINY)
        zero = Zero(model, comm, 3, adam, units=gpt_units(model), overlap=overlap)
        for block in model.blocks:
            block.register_forward_hook(lambda *_: comm.compute(1.0, "forward"))
            block.register_full_backward_hook(lambda *_: comm.compute(2.0, "backward"))
        for _ in range(3):
            model.loss(tokens, targets).backward()
            zero.step()

    fabric = Fabric(alpha_s=0.0, beta_s=0.5 / sum(p.nbytes for p in GPT(TINY).blocks[0].parameters()))
    logs = {overlap: run_ranks(2, program, overlap, fabric=fabric)[1] for overlap in (False, True)}
    assert logs[True].sent_bytes(0) == logs[False].sent_bytes(0)
    computed = 3 * 4 * 3.0
    exposed = {overlap: log.elapsed - computed for overlap, log in logs.items()}
    assert exposed[False] > 3 * 4 * 3 * 0.25  # two gathers and a reduction a block and step, of half its bytes
    assert exposed[True] < 0.6 * exposed[False]  # the first step does not know the order yet
    beside = [span for span in logs[True].spans if span.track == "beside"]
    blocks = [span for span in logs[True].spans if span.track == "main"]
    assert any(t.begun_at < b.ended_at and b.begun_at < t.ended_at for t in beside for b in blocks)


def test_units_that_do_not_fit_the_model_are_refused():
    def program(comm, stage, units):
        model = GPT(TIED)
        Zero(model, comm, stage, adam, units=units(model))

    with pytest.raises(ValueError, match=r"embed.weight is in 2 units: put it into one"):
        run_ranks(1, program, 3, lambda m: [[m.embed], *([b] for b in m.blocks), [m.norm, m.head]])
    with pytest.raises(ValueError, match=r"blocks.3.attn_norm.weight is in 0 units"):
        run_ranks(1, program, 3, lambda m: [[m.embed, m.norm, m.head], *([b] for b in m.blocks[:3])])
    with pytest.raises(ValueError, match="There is no stage 4"):
        run_ranks(1, program, 4, gpt_units)
