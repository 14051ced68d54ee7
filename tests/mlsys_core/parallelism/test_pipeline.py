"""Pipelines that run: equal to one process, with the memory, the messages and the time that the schedule says."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.parallelism.collectives import chunk_sizes
from mlsys_core.parallelism.communication import Fabric, run_ranks
from mlsys_core.parallelism.pipeline import (
    Action,
    Kind,
    Schedule,
    cut,
    durations,
    equal_stages,
    gpipe,
    in_flight,
    interleaved_1f1b,
    message_bytes_cost,
    one_f_one_b,
    own_stages,
    run_schedule,
    simulate,
    split_batch,
    validate,
    zero_bubble_h1,
)
from mlsys_core.parallelism.pipeline.defer import DeferWeights
from mlsys_core.parallelism.pipeline.memory import SavedBytes
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.parallelism.pipeline_runs import Case, joined, train
from tests.mlsys_core.parallelism.training import BATCH, TINY, batches, single_process

TIED = replace(TINY, tie_embeddings=True)
SMALL = GPTConfig(vocab_size=11, context=6, dim=8, layers=4, heads=2, kv_heads=1, ffn=12)


@pytest.fixture(scope="module")
def alone():
    """The same training in one process, by configuration."""
    return {config: single_process(config) for config in (TINY, TIED)}


@pytest.mark.parametrize(
    "case",
    [
        Case(gpipe(3, 3), TIED, blocks=(2, 1, 1)),
        Case(one_f_one_b(4, 8), TIED),
        Case(one_f_one_b(3, 5), TINY, blocks=(1, 3, 0), recompute=True),
        Case(interleaved_1f1b(2, 4, 2), TIED),
        Case(interleaved_1f1b(1, 2, 2), TIED),
        Case(zero_bubble_h1(2, 4), TINY),
    ],
    ids=lambda case: f"{case.schedule.name} {case.schedule.ranks}",
)
def test_training_in_a_pipeline_equals_one_process(case, alone, held):
    """Microbatches may differ in size (8 sequences in 3 or 5), stages in blocks, and a stage may have none."""
    ran, _ = run_ranks(case.schedule.ranks, train, case)
    trace = joined(ran, case.config)
    held(f"pipeline: {case.schedule.name}", "one process", trace.as_dict(), alone[case.config].as_dict(), 1e-5)


def any_order(ranks, microbatches, chunks, seed):
    """A schedule whose ranks choose at random among what can run."""
    chooses = random.Random(seed)
    done = [[] for _ in range(ranks)]
    ended = set()

    def ready(rank, action):
        s, m = action.chunk * ranks + rank, action.microbatch
        if action.kind is Kind.FORWARD:
            return s == 0 or (Kind.FORWARD, m, s - 1) in ended
        return (Kind.FORWARD, m, s) in ended and (s == ranks * chunks - 1 or (Kind.BACKWARD, m, s + 1) in ended)

    left = {
        (rank, Action(kind, m, c))
        for rank in range(ranks)
        for kind in (Kind.FORWARD, Kind.BACKWARD)
        for m in range(microbatches)
        for c in range(chunks)
    }
    while left:
        rank, action = chooses.choice(sorted(one for one in left if ready(*one)))
        left.remove((rank, action))
        done[rank].append(action)
        ended.add((action.kind, action.microbatch, action.chunk * ranks + rank))
    actions = tuple(map(tuple, done))
    return Schedule("any order", ranks, microbatches, chunks, actions, (microbatches * chunks,) * ranks)


@given(st.integers(2, 4), st.integers(1, 5), st.integers(1, 2), st.integers(0, 10**6))
@settings(max_examples=8, deadline=None)
def test_any_valid_order_gives_the_gradients_of_the_whole_batch(p, m, v, seed):
    """Messages come in the order in which they are sent, which need not be that in which they are used."""
    schedule = any_order(p, m, v, seed)
    validate(schedule, receives_ahead=None)
    blocks = tuple(chunk_sizes(SMALL.layers, p * v))
    ran, _ = run_ranks(p, train, Case(schedule, SMALL, blocks=blocks, steps=1))
    model, (tokens, targets) = GPT(SMALL), batches(SMALL, 1)[0]
    model.loss(tokens, targets).backward()
    found = joined(ran, SMALL).gradients
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-5, atol=1e-7)
    assert [one.outcome.in_flight for one in ran] == in_flight(schedule)


@pytest.mark.parametrize("make", [gpipe, one_f_one_b])
def test_activations_that_are_held_are_those_of_the_schedule(make, unit):
    """Bytes that autograd really holds, on ranks with one block and nothing else: so many for each microbatch in flight."""
    schedule = make(4, 8)
    ran, _ = run_ranks(4, train, Case(schedule, TINY, steps=1))
    assert [one.outcome.in_flight for one in ran] == in_flight(schedule)
    for rank in (1, 2):
        assert ran[rank].outcome.peak_bytes == in_flight(schedule)[rank] * unit


@pytest.fixture(scope="module")
def unit():
    """Bytes that one block and its ends keep of one sequence, collected by hooks of this test."""
    block, x = GPT(TINY).blocks[1], torch.randn(1, TINY.context, TINY.dim, requires_grad=True)
    kept = [x]
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        kept.append(block(x, torch.arange(TINY.context)))
    own = {p.data_ptr() for p in block.parameters()}
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in kept}
    return sum(size for pointer, size in storages.items() if pointer not in own)


def test_between_the_halves_of_a_backward_a_microbatch_keeps_the_ends_of_its_products(unit):
    """Rank r puts off the weights of r microbatches. Each keeps inputs and output gradients of the seven linear layers."""
    schedule = zero_bubble_h1(4, 8)
    ran, _ = run_ranks(4, train, Case(schedule, TINY, steps=1))
    kv = TINY.kv_heads * TINY.head_dim
    inputs = 3 * TINY.dim + TINY.ffn  # of q, k and v together, of o, of gate and up together, of down
    gradients = 2 * TINY.dim + 2 * kv + 2 * TINY.ffn + TINY.dim
    half = TINY.context * (inputs + gradients) * 4
    assert [one.outcome.in_flight for one in ran] == [4] * 4
    for rank in (1, 2):
        assert ran[rank].outcome.peak_bytes == (4 - rank) * unit + rank * half


def test_weights_get_their_gradient_in_the_second_half(held):
    x, weight = torch.randn(3, 5, 7, requires_grad=True), torch.randn(4, 7, requires_grad=True)
    gain, frozen = torch.randn(7, requires_grad=True), torch.randn(2, 4)
    todo = []
    with DeferWeights(todo):
        y = F.linear(F.linear(F.rms_norm(x, (7,), gain), weight), frozen)
    cotangent = torch.randn(3, 5, 2)
    y.backward(cotangent)
    assert weight.grad is None
    assert [product.weight is weight for product in todo] == [True]
    for product in todo:
        product.add()
    again = F.linear(F.linear(F.rms_norm(x, (7,), gain), weight), frozen)
    expected = torch.autograd.grad(again, (x, gain, weight), cotangent)
    held("pipeline: split backward", "torch autograd", [x.grad, gain.grad, weight.grad], list(expected), 1e-5)


def test_recomputation_keeps_inputs_and_one_microbatch(unit):
    schedule = one_f_one_b(4, 8)
    again, _ = run_ranks(4, train, Case(schedule, TINY, steps=1, recompute=True))
    boundary = TINY.context * TINY.dim * 4
    for rank in (1, 2):
        waiting = in_flight(schedule)[rank] - 1
        # the output of the microbatch that is computed again is not kept: nothing is sent from it
        assert again[rank].outcome.peak_bytes == waiting * boundary + unit - boundary


def test_saved_bytes_count_each_storage_once_and_end_at_zero():
    weight, x = torch.randn(5, 7, requires_grad=True), torch.randn(3, 7, requires_grad=True)
    saved = SavedBytes([weight])
    with saved.counting():
        y = x @ weight.T
        z = y * y + y.exp()
    assert saved.now == x.nbytes + 2 * y.nbytes  # x; y for both of its uses; exp(y)
    z.sum().backward()
    del z, y
    assert saved.now == 0
    assert saved.peak == x.nbytes + 2 * 3 * 5 * 4


@pytest.mark.parametrize(
    "schedule",
    [gpipe(2, 3), one_f_one_b(3, 4), one_f_one_b(8, 2), interleaved_1f1b(2, 4, 3), interleaved_1f1b(5, 5, 2)],
    ids=lambda s: f"{s.name} {s.ranks}",
)
def test_bytes_in_the_log_are_those_of_the_formula(schedule):
    config = replace(SMALL, layers=schedule.stages, tie_embeddings=True)
    _, log = run_ranks(schedule.ranks, train, Case(schedule, config, steps=1))
    both = message_bytes_cost(schedule, BATCH, config.context, config.dim, item_bytes=4)
    for label in ("activation", "gradient"):
        assert sum(m.size for m in log.of(label)) == both // 2
        assert len(log.of(label)) == schedule.microbatches * (schedule.stages - 1)
    embedding = config.vocab_size * config.dim * 4
    assert sum(m.size for m in log.messages) == both + 2 * embedding
    assert {m.source for m in log.of("tied embedding")} == {0, schedule.ranks - 1}


@pytest.mark.parametrize(
    "schedule",
    [gpipe(4, 4), one_f_one_b(4, 8), interleaved_1f1b(2, 4, 2), zero_bubble_h1(4, 4)],
    ids=lambda s: s.name,
)
def test_the_clock_of_the_run_is_that_of_the_simulation(schedule):
    """The runtime knows nothing of the simulator: it sends, receives and tells how long it computes."""
    stages = schedule.stages
    for given_times in (
        equal_stages(schedule),
        equal_stages(schedule, transfer=0.25),
        durations([1 + s % 3 for s in range(stages)], [2 + 2 * (s % 2) for s in range(stages)], 0.5),
    ):
        fabric = Fabric(alpha_s=float(given_times.transfer))
        _, log = run_ranks(schedule.ranks, train, Case(schedule, SMALL, steps=1, times=given_times), fabric=fabric)
        assert log.elapsed == float(simulate(schedule, given_times).elapsed)


def test_gradients_of_two_batches_add_up():
    tied = replace(SMALL, tie_embeddings=True)
    model = GPT(tied)
    schedule = gpipe(1, 2)
    stages = cut(model, 1)
    drawn = batches(tied, 2)

    def program(comm):
        for tokens, targets in drawn:
            run_schedule(schedule, stages, comm, split_batch(tokens, targets, 2))

    run_ranks(1, program)
    whole = GPT(tied)
    for tokens, targets in drawn:
        whole.loss(tokens, targets).backward()
    for (name, found), expected in zip(model.named_parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-4, atol=1e-7, msg=name)


def test_what_does_not_fit_the_schedule_is_refused():
    tokens, targets = batches(TINY, 1)[0]

    def program(comm, schedule, microbatches):
        stages = own_stages(GPT(TINY), schedule, comm.rank)
        run_schedule(schedule, stages, comm, split_batch(tokens, targets, microbatches))

    with pytest.raises(ValueError, match=r"are \(2, 1, 3\), and the schedule GPipe is for \(2, 1, 4\)"):
        run_ranks(2, program, gpipe(2, 4), 3)
    with pytest.raises(ValueError, match=r"\[3, 2\] blocks in 2 stages are not the model's 4"):
        cut(GPT(TINY), 2, [3, 2])
    with pytest.raises(ValueError, match="give one count a stage"):
        cut(GPT(TINY), 3, [2, 2])
