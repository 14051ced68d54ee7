"""Traces, the time of a step, the buddy allocator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from scipy.stats import kstest

from mlsys_core.serving.simulator import (
    ALPACA_LIKE,
    GPT3_175B,
    ON_8_A100,
    ON_A100_40GB,
    SHAREGPT_LIKE,
    StepModel,
    poisson_trace,
)
from mlsys_core.serving.simulator.buddy import Buddy
from mlsys_core.serving.simulator.sequence import Sequence
from mlsys_core.serving.simulator.systems import reservation
from mlsys_core.serving.simulator.timing import A100_40GB, Batch
from mlsys_core.serving.simulator.trace import Request


class BuddyAgainstPlaces(RuleBasedStateMachine):
    """Every piece against a list of places."""

    def __init__(self):
        super().__init__()
        self.size = 45  # 32 + 8 + 4 + 1
        self.buddy, self.pieces = Buddy(self.size), {}

    def taken(self):
        return {place for start, size in self.pieces.items() for place in range(start, start + size)}

    @rule(size=st.integers(1, 33))
    def allocate(self, size):
        piece = 1 << (size - 1).bit_length()
        start = self.buddy.allocate(size)
        roots = ((0, 32), (32, 8), (40, 4), (44, 1))
        taken = self.taken()
        could = [
            place
            for first, length in roots
            for place in range(first, first + length - piece + 1, piece)
            if not taken & set(range(place, place + piece))
        ]
        if start is None:
            assert not could
        else:
            assert start in could
            self.pieces[start] = piece

    @precondition(lambda self: self.pieces)
    @rule(data=st.data())
    def release(self, data):
        start = data.draw(st.sampled_from(sorted(self.pieces)))
        del self.pieces[start]
        self.buddy.release(start)

    @invariant()
    def free_places_are_the_others(self):
        free = [
            place
            for order, starts in enumerate(self.buddy.free)
            for start in starts
            for place in range(start, start + (1 << order))
        ]
        assert sorted(free) == sorted(set(range(self.size)) - self.taken())


TestBuddy = BuddyAgainstPlaces.TestCase
TestBuddy.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("lengths", [SHAREGPT_LIKE, ALPACA_LIKE])
def test_a_trace_has_the_rate_and_the_means_that_were_asked_for(lengths):
    trace = poisson_trace(20_000, 2.5, lengths, limit=100_000, seed=3)
    gaps = np.diff([0.0, *(request.arrival_s for request in trace)])
    assert kstest(gaps, "expon", args=(0, 1 / 2.5)).pvalue > 1e-3
    assert np.mean([request.prompt for request in trace]) == pytest.approx(lengths.prompt + 0.5, rel=0.04)
    assert np.mean([request.output for request in trace]) == pytest.approx(lengths.output + 0.5, rel=0.04)
    short = poisson_trace(5000, 2.5, lengths, limit=256, seed=3)
    assert max(request.total for request in short) <= 256
    assert max(request.prompt for request in short) <= 128
    assert min(min(request.prompt, request.output) for request in short) >= 1


def step(*entries):
    batch = Batch()
    for before, new in entries:
        batch.add(Sequence(Request(0.0, before + new, 1), computed=before), new)
    return batch


def test_pairs_of_a_step_are_those_of_a_causal_mask():
    rng = np.random.default_rng(0)
    entries = [tuple(pair) for pair in rng.integers(0, 30, (20, 2)).tolist()]
    batch = step(*entries)
    assert batch.pairs == sum(np.tril(np.ones((n, c + n)), c).sum() for c, n in entries)
    assert batch.context == sum(c + n for c, n in entries)
    assert batch.tokens == sum(n for _, n in entries)


def test_a_token_of_13_billion_parameters_takes_as_long_as_reading_them(held):
    one = ON_A100_40GB.seconds(step((999, 1)))
    held("simulator: one token", "26 GB and its keys", [one], [(26e9 + 1000 * 2 * 2 * 40 * 5120) / 1555e9], 1e-12)
    many = ON_A100_40GB.seconds(step(*[(999, 1)] * 32))
    assert many < 2.1 * one
    prompt = ON_A100_40GB.seconds(step((0, 2048)))
    flops = 2 * 13e9 * 2048 + 4 * 40 * 5120 * 2048 * 2049 / 2
    held("simulator: a prompt", "its operations", [prompt], [flops / 312e12], 1e-12)
    slow = replace(ON_A100_40GB, efficiency=0.5, overhead_s=0.01)
    assert slow.seconds(step((9, 1))) == pytest.approx(2 * ON_A100_40GB.seconds(step((9, 1))) + 0.01)


def test_eight_devices_read_an_eighth_each_and_send_two_sums_a_layer():
    work = ON_8_A100.work(step((0, 1024)))
    assert work.memory == pytest.approx((350e9 + 1024 * 2 * 2 * 96 * 12_288) / 8)
    assert work.link == pytest.approx(96 * 2 * (2 * 7 / 8) * 1024 * 12_288 * 2)
    one = replace(ON_8_A100, devices=1).work(step((0, 1024)))
    assert one.link == 0
    assert one.flops == pytest.approx(8 * work.flops)


def test_room_is_what_the_weights_leave():
    assert ON_A100_40GB.kv_bytes == 800 * 1024
    slots = ON_A100_40GB.slots(0.9)
    assert slots * ON_A100_40GB.kv_bytes + 26e9 <= 0.9 * 40 * 2**30 < (slots + 1) * ON_A100_40GB.kv_bytes + 26e9
    assert slots // 2048 == 7, "the mean batch that was published for reservations of 2048"
    with pytest.raises(ValueError, match="use more devices"):
        StepModel(GPT3_175B, A100_40GB).slots()


def test_reservations():
    request = Request(0.0, 10, 25)
    assert [reservation(kind, 2048)(request) for kind in ("max", "pow2", "oracle")] == [2048, 42, 35]
    assert reservation("pow2", 40)(request) == 40
