"""The simulator: tiny cases by hand, tokens that are conserved, and the laws of queues that it knows nothing of."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.serving.simulator import (
    ALPACA_LIKE,
    ON_A100_40GB,
    BuddyMemory,
    ContinuousBatching,
    PagedMemory,
    Request,
    StaticBatching,
    Usage,
    chunked_prefill,
    faster_transformer,
    orca,
    poisson_trace,
    simulate,
    vllm,
)
from mlsys_core.serving.simulator.systems import reservation


@dataclass
class Clock:
    """A step takes a second, or as long as its tokens where a token takes some; keeps what every step read."""

    a_token: float = 0.0

    def __post_init__(self):
        self.seen = []

    def seconds(self, batch):
        self.seen.append((batch.tokens, batch.context, batch.pairs, len(batch.entries)))
        return self.a_token * batch.tokens or 1.0


def times(result):
    return [(s.admitted_at, s.first_at, s.finished_at) for s in result.sequences]


TRACE = [Request(0.0, 3, 2), Request(0.0, 5, 4), Request(1.5, 2, 2)]


def test_a_static_batch_by_hand():
    """Two begin; the first is done after 2 steps and computed on for 4; the third comes at 1.5 and waits until 4."""
    clock = Clock()
    result = simulate(TRACE, StaticBatching(BuddyMemory(64, reservation("max", 16)), 2), clock)
    assert times(result) == [(0, 1, 4), (0, 1, 4), (4, 5, 6)]
    # prompts padded to 5; then a row for both, of 6, 7, 8 keys; 2 prompt tokens; one more
    assert [seen[0] for seen in clock.seen] == [10, 2, 2, 2, 2, 1]
    assert [seen[1] for seen in clock.seen] == [10, 12, 14, 16, 2, 3]
    assert [seen[2] for seen in clock.seen] == [30, 12, 14, 16, 3, 3]
    assert [seen[3] for seen in clock.seen] == [2, 2, 1, 1, 1, 1]
    assert result.sequences[1].token_at == 4
    assert result.throughput == 8 / 6


def test_a_batch_a_step_by_hand():
    """The third comes while the second step runs, and is read in the third beside what goes on."""
    clock = Clock()
    result = simulate(TRACE, ContinuousBatching(BuddyMemory(64, reservation("max", 16)), 2), clock)
    assert times(result) == [(0, 1, 2), (0, 1, 4), (2, 3, 4)]
    assert [seen[0] for seen in clock.seen] == [8, 2, 3, 2]
    assert [seen[1] for seen in clock.seen] == [8, 4 + 6, 7 + 2, 8 + 3]
    assert [seen[2] for seen in clock.seen] == [6 + 15, 10, 7 + 3, 11]
    assert result.mean_batch == 2
    assert result.normalized_latency_s.tolist() == [1, 1, 1.25]
    assert result.ttft_s.tolist() == [1, 1, 1.5]
    assert result.tpot_s.tolist() == [1, 1, 1]
    assert result.goodput(1.0, 1.0) == 2 / 4
    assert result.goodput(1.5, 0.9) == 0


def test_a_prompt_in_parts_by_hand():
    """3 tokens a step: one for who generates, two for the prompt of 5 that comes at 0.5, which takes three steps."""
    clock = Clock()
    trace = [Request(0.0, 2, 6), Request(0.5, 5, 1)]
    result = simulate(trace, chunked_prefill(64, budget=3, block=4, max_batch=2), clock)
    assert times(result) == [(0, 1, 6), (1, 4, 4)]
    assert [seen[0] for seen in clock.seen] == [2, 3, 3, 2, 1, 1]
    assert [seen[1] for seen in clock.seen] == [2, 3 + 2, 4 + 4, 5 + 5, 6, 7]
    assert [seen[2] for seen in clock.seen] == [3, 3 + 3, 4 + 7, 5 + 5, 6, 7]


def test_the_last_that_came_starts_again_when_room_is_short_by_hand():
    """4 blocks of 2. Both prompts take one; both need a second for a third token and a third for a fifth, which only one can have."""
    clock = Clock()
    trace = [Request(0.0, 2, 4), Request(0.0, 2, 4)]
    result = simulate(trace, ContinuousBatching(PagedMemory(8, 2, watermark=0.0), 2), clock)
    # steps 1 to 3 hold 2, 3, 4 tokens of both; step 4 needs a fifth: the second goes; step 5 reads its 5 tokens again, and ends it
    assert times(result) == [(0, 1, 4), (0, 1, 5)]
    assert [seen[0] for seen in clock.seen] == [4, 2, 2, 1, 5]
    assert [s.preemptions for s in result.sequences] == [0, 1]
    assert result.sequences[1].longest_gap == 2


def recorded(scheduler):
    """The scheduler, and the tokens that came out of it in order: (sequence, number, time)."""
    tokens, complete = [], scheduler.complete

    def listening(batch, now):
        before = {sequence: sequence.generated for sequence, _ in batch.entries}
        ended = complete(batch, now)
        tokens.extend((s, s.generated, now) for s, count in before.items() if s.generated != count)
        return ended

    scheduler.complete = listening
    return scheduler, tokens


SYSTEMS = {
    "FasterTransformer": lambda slots: faster_transformer(slots, limit=32, max_batch=5),
    "Orca (Max)": lambda slots: orca(slots, "max", limit=32, max_batch=5),
    "Orca (Pow2)": lambda slots: orca(slots, "pow2", limit=32, max_batch=5),
    "Orca (Oracle)": lambda slots: orca(slots, "oracle", limit=32, max_batch=5),
    "vLLM": lambda slots: vllm(slots, block=4, max_batch=5),
    "chunked prefill": lambda slots: chunked_prefill(slots, budget=7, block=4, max_batch=5),
}
REQUESTS = st.lists(st.builds(Request, st.floats(0, 30), st.integers(1, 16), st.integers(1, 16)), max_size=14)


@settings(max_examples=60, deadline=None)
@given(REQUESTS, st.sampled_from(list(SYSTEMS)), st.integers(32, 120))
def test_every_token_comes_once_in_order_and_all_room_is_given_back(requests, system, slots):
    scheduler, tokens = recorded(SYSTEMS[system](slots))
    clock = Clock(0.25)
    result = simulate(requests, scheduler, clock)
    assert [s.request for s in result.sequences] == sorted(requests, key=lambda request: request.arrival_s)
    for sequence in result.sequences:
        own = [(number, now) for s, number, now in tokens if s is sequence]
        assert [number for number, _ in own] == list(range(1, sequence.request.output + 1))
        at = [now for _, now in own]
        assert at == sorted(set(at))
        assert sequence.request.arrival_s <= sequence.admitted_at < at[0] == sequence.first_at
        assert at[-1] == sequence.token_at <= sequence.finished_at
        assert sequence.longest_gap == max((b - a for a, b in pairwise(at)), default=0)
    assert scheduler.usage() == Usage(0, 0, 0, scheduler.slots)
    assert all(s[0] <= 7 for s in clock.seen) or system != "chunked prefill"
    assert result.preemptions == 0 or system in {"vLLM", "chunked prefill"}
    firsts = [s.first_at for s in result.sequences]
    assert firsts == sorted(firsts), "first come, first served"


@settings(max_examples=40, deadline=None)
@given(REQUESTS, st.integers(8, 30), st.sampled_from([2, 4, 5]))
def test_the_engines_scheduler_with_tokens_to_spare_is_the_same_as_ours(requests, blocks, size):
    """Two schedulers that were written apart, with room that is short: every time of every request."""
    own = ContinuousBatching(PagedMemory(blocks * size, size, watermark=0.0), 4)
    engine = chunked_prefill(blocks * size, budget=1000, block=size, max_batch=4)
    requests = [request for request in requests if request.total <= blocks * size]
    found, expected = (simulate(requests, scheduler, Clock(0.25)) for scheduler in (engine, own))
    assert times(found) == times(expected)
    assert [s.preemptions for s in found.sequences] == [s.preemptions for s in expected.sequences]
    assert found.usage == expected.usage


def test_the_engines_scheduler_and_ours_preempt_the_same_sequences_of_a_long_trace():
    trace = poisson_trace(150, 20.0, ALPACA_LIKE, limit=400, seed=9)
    own = simulate(trace, ContinuousBatching(PagedMemory(960, 16, watermark=0.0), 64), ON_A100_40GB)
    engine = simulate(trace, chunked_prefill(960, budget=100_000, max_batch=64), ON_A100_40GB)
    assert times(engine) == times(own)
    assert engine.preemptions == own.preemptions > 20


@settings(max_examples=20, deadline=None)
@given(REQUESTS.filter(bool), st.integers(40, 120))
def test_parts_of_the_memory_are_all_of_it_at_every_step(requests, slots):
    for system in SYSTEMS.values():
        scheduler = system(slots)
        parts, schedule = [], scheduler.schedule

        def watching(now, schedule=schedule, scheduler=scheduler, parts=parts):
            batch = schedule(now)
            parts.append(scheduler.usage())
            return batch

        scheduler.schedule = watching
        simulate(requests, scheduler, Clock())
        for usage in parts:
            assert usage.tokens + usage.reservation + usage.internal + usage.external == slots
            assert min(usage.tokens, usage.reservation, usage.internal, usage.external) >= 0


@pytest.mark.parametrize("system", [faster_transformer, orca, vllm, chunked_prefill])
def test_littles_law_of_those_that_run(system, held):
    """The mean number that run is their rate times the mean time from admission to end."""
    result = simulate(poisson_trace(300, 3.0, ALPACA_LIKE, seed=2), system(15_000), ON_A100_40GB)
    stays = [s.finished_at - s.admitted_at for s in result.sequences]
    assert result.preemptions == 0
    held("simulator: mean batch", "Little's law", [result.mean_batch], [sum(stays) / result.busy_s], 1e-9)


@pytest.mark.parametrize("load", [0.3, 0.6])
def test_one_at_a_time_is_the_queue_of_the_books(load, held):
    """One server, constant service s: every wait by Lindley's recursion, their mean by Pollaczek and Khinchine, ρ s / (2 (1 - ρ))."""
    service, count = 4.0, 12_000
    trace = [
        Request(request.arrival_s, 5, 4)
        for request in poisson_trace(count, load / service, ALPACA_LIKE, seed=int(10 * load))
    ]
    result = simulate(trace, orca(4096, limit=64, max_batch=1), Clock())
    waits = [s.admitted_at - s.request.arrival_s for s in result.sequences]
    lindley = [0.0]
    for earlier, later in pairwise(trace):
        lindley.append(max(0.0, lindley[-1] + service - (later.arrival_s - earlier.arrival_s)))
    held("simulator: waits", "Lindley's recursion", waits, lindley, 1e-9)
    means = np.array(waits).reshape(40, -1).mean(1)
    assert abs(means.mean() - load * service / (2 * (1 - load))) < 4 * means.std() / 40**0.5


def test_a_run_has_one_result():
    trace = poisson_trace(200, 5.0, ALPACA_LIKE, seed=4)
    runs = [simulate(trace, vllm(3000), ON_A100_40GB) for _ in range(2)]
    assert times(runs[0]) == times(runs[1])
    assert poisson_trace(50, 5.0, ALPACA_LIKE, seed=4) != poisson_trace(50, 5.0, ALPACA_LIKE, seed=5)


def test_nobody_comes():
    result = simulate([], vllm(100), Clock())
    assert (result.elapsed_s, result.steps, result.mean_batch) == (0, 0, 0)


def test_what_can_never_be_served_is_refused():
    for scheduler in (
        vllm(64),
        orca(100, limit=64),
        orca(4096, "oracle", limit=8192),
        faster_transformer(64, limit=128),
    ):
        with pytest.raises(ValueError, match="does not fit"):
            simulate([Request(0.0, 60, 5000)], scheduler, Clock())
    with pytest.raises(ValueError, match="no reservation called 'min'"):
        reservation("min", 10)
    with pytest.raises(ValueError, match="does not let 256 sequences advance"):
        chunked_prefill(100, budget=255)
    with pytest.raises(ValueError, match="do not fit"):
        simulate([Request(0.0, 60, 5000)], chunked_prefill(4096), Clock())
    with pytest.raises(ValueError, match="allow at least 1"):
        vllm(100, max_batch=0)
    with pytest.raises(ValueError, match="positive rate"):
        poisson_trace(1, 0.0, ALPACA_LIKE)
