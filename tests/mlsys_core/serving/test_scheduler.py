"""Batches keep to their limits, everyone is served in his turn, and what a batch reads is what its sequences wrote."""

from __future__ import annotations

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.radix_blocks import RadixBlockManager
from mlsys_core.serving.scheduler import Scheduler, SchedulerConfig, preemption_cost
from mlsys_core.serving.sequence import Sequence, Status
from tests.mlsys_core.serving.block_machine import Memory


class Run:
    """A scheduler with a memory that says which tokens each slot was computed from, and no model: the next token is drawn by a rule."""

    def __init__(self, config, blocks):
        self.scheduler, self.blocks, self.memory = Scheduler(config, blocks), blocks, Memory(blocks)
        self.number, self.first, self.finished = 0, [], []

    def add(self, tokens, longest, forks=0):
        self.number += 1
        self.scheduler.add(Sequence(self.number, list(tokens), longest, arrival=self.number, forks=forks))

    def step(self):
        """One step; checks what holds for each."""
        scheduler, config = self.scheduler, self.scheduler.config
        running = list(scheduler.running)
        batch = scheduler.schedule()
        self.memory.copy(batch.swap_out, self.memory.device, self.memory.host)
        self.memory.copy(batch.swap_in, self.memory.host, self.memory.device)
        self.memory.copy(batch.copies, self.memory.device, self.memory.device)
        for work in batch.works:
            assert work.count > 0
            self.memory.write(work.sequence.id, work.sequence.tokens, work.start, work.start + work.count)
        assert batch.tokens == sum(work.count for work in batch.works) <= config.token_budget
        assert sum(s.seats for s in scheduler.running) <= config.max_sequences
        at_work = {work.sequence for work in batch.works}
        assert set(running) - set(batch.preempted) <= at_work, "everyone who was running advances, or was preempted"
        assert set(scheduler.running) == at_work
        assert not batch.preempted or at_work <= set(running), "nobody new comes while one has to give way"
        for work in batch.works:
            self.check(work)
            if work.sequence not in self.first:
                self.first.append(work.sequence)
        scheduler.computed(batch)
        for work in batch.works:
            if work.draws:
                self.draw(work.sequence)
        return batch

    def check(self, work):
        """A sequence reads all of its own tokens and nothing else."""
        end = work.start + work.count
        expected = [tuple(work.sequence.tokens[: i + 1]) for i in range(end)]
        assert self.memory.read(work.sequence.id, end) == expected

    def draw(self, sequence):
        ids = range(self.number + 1, self.number + 1 + sequence.forks)
        children = self.scheduler.fork(sequence, ids)
        self.number += len(children)
        for one in (sequence, *children):
            one.tokens.append((7 * sum(one.tokens) + one.id) % 3)
            if len(one.tokens) == one.longest:
                self.scheduler.finish(one)
                self.finished.append(one)


@st.composite
def runs(draw):
    size, longest = draw(st.integers(1, 3)), 16
    blocks, host = -(-longest // size) + draw(st.integers(0, 4)), draw(st.sampled_from([0, 6, 40]))
    kind = draw(st.sampled_from(["hash", "radix", "none"]))
    manager = (
        RadixBlockManager(blocks, size, swap_blocks=host)
        if kind == "radix"
        else BlockManager(blocks, size, swap_blocks=host, share=kind == "hash")
    )
    seats = draw(st.integers(2, 6))
    config = SchedulerConfig(
        token_budget=seats + draw(st.integers(0, 12)),
        max_sequences=seats,
        preemption=draw(st.sampled_from(["recompute", "swap"])),
        order=draw(st.sampled_from(["fcfs", "fcfs", "longest-prefix", "depth-first"])),
        patience=draw(st.sampled_from([0, 3, 256])),
    )
    return Run(config, manager)


ARRIVALS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 1), min_size=1, max_size=9), st.integers(1, 7), st.integers(0, 1), st.integers(0, 3)
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=150)
@given(runs(), ARRIVALS)
def test_every_step_keeps_its_limits_and_everyone_is_served(run, arrivals):
    line, total = list(arrivals), 0
    for _ in range(2000):
        while line and (line[0][3] == 0 or not len(run.scheduler)):
            tokens, more, forks, _ = line.pop(0)
            run.add(tokens, len(tokens) + more, forks)
            total += 1 + forks
        line = [(a, b, c, pause - (i == 0)) for i, (a, b, c, pause) in enumerate(line)]
        if not len(run.scheduler):
            break
        run.step()
    assert len(run.finished) == total
    assert all(s.status is Status.FINISHED for s in run.finished)
    assert not run.blocks.tables
    assert run.blocks.available == run.blocks.device.size
    assert run.blocks.host.free == run.blocks.host.size
    if run.scheduler.config.order == "fcfs":
        begun = list(dict.fromkeys(s.arrival for s in run.first))
        assert begun == sorted(begun), "who came first begins first"
    event(f"preempted: {sum(run.scheduler.preemptions.values()) > 0}")


def test_a_long_prompt_is_computed_in_chunks_beside_those_who_are_running():
    run = Run(SchedulerConfig(token_budget=8, max_sequences=4), BlockManager(64, 4))
    run.add([1] * 3, 12)
    run.step()
    run.add([2] * 20, 24)
    chunks = [[work.count for work in run.step().works] for _ in range(4)]
    assert chunks == [[1, 7], [1, 7], [1, 6], [1, 1]]


def test_who_does_not_fit_is_not_passed_by_for_a_smaller_one():
    run = Run(SchedulerConfig(token_budget=64, max_sequences=8), BlockManager(8, 2))
    for length, longest in ((10, 14), (8, 10), (1, 3)):
        run.add([length % 3] * length, longest)
    assert len(run.step().works) == 1
    while len(run.scheduler):
        run.step()
    assert [s.arrival for s in run.first] == [1, 2, 3]


@pytest.mark.parametrize(
    ("order", "patience", "expected"), [("fcfs", 99, 2), ("longest-prefix", 99, 6), ("longest-prefix", 2, 4)]
)
def test_a_cache_aware_order_may_pass_by_but_not_for_longer_than_one_is_patient(order, patience, expected):
    """One request that shares nothing waits while others come who share."""
    run = Run(SchedulerConfig(32, 1, order=order, patience=patience), BlockManager(64, 2))
    run.add([1] * 8, 9)
    run.step()
    run.add([2] * 8, 9)
    for _ in range(4):
        run.add([1] * 8, 9)
        run.step()
    while len(run.scheduler):
        run.step()
    begun = [s.tokens[0] for s in run.first]
    assert begun.index(2) + 1 == expected


def test_the_last_who_came_gives_way_and_comes_back_first():
    for kind, status in (("recompute", Status.WAITING), ("swap", Status.SWAPPED)):
        config = SchedulerConfig(token_budget=16, max_sequences=4, preemption=kind)
        run = Run(config, BlockManager(6, 2, swap_blocks=6, share=False))
        for i in range(3):
            run.add([i] * 3, 9)
        run.step()
        while not (batch := run.step()).preempted:
            pass
        assert [s.arrival for s in batch.preempted] == [3]
        assert batch.preempted[0].status is status
        run.add([9] * 2, 3)
        while len(run.scheduler):
            run.step()
        assert [s.arrival for s in run.first] == [1, 2, 3, 4]


def test_a_host_without_room_means_that_it_is_computed_again():
    run = Run(SchedulerConfig(16, 4, preemption="swap"), BlockManager(6, 2, swap_blocks=1, share=False))
    for i in range(3):
        run.add([i] * 3, 9)
    while len(run.scheduler):
        run.step()
    assert run.scheduler.preemptions["recompute"] > 0 == run.scheduler.preemptions["swap"]


def test_which_way_of_preemption_is_cheaper_depends_on_the_bytes_and_not_on_the_length():
    for tokens in (100, 1000):
        cost = preemption_cost(tokens, bytes_per_token=800e3, host_bytes_per_s=16e9, tokens_per_s=5000)
        assert cost == {"recompute": tokens / 5000, "swap": pytest.approx(tokens * 1e-4)}


def test_limits_that_nobody_could_keep_are_refused():
    with pytest.raises(ValueError, match="a token for each"):
        SchedulerConfig(token_budget=3, max_sequences=4)
    scheduler = Scheduler(SchedulerConfig(8, 2), BlockManager(2, 4))
    with pytest.raises(ValueError, match="do not fit"):
        scheduler.add(Sequence(1, [1], 9))
    with pytest.raises(ValueError, match="3 outputs"):
        scheduler.add(Sequence(1, [1], 8, forks=2))
    with pytest.raises(ValueError, match="more than the 1"):
        Sequence(1, [1, 2], 1)
