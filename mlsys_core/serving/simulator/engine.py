"""The engine's own scheduler in the simulator: what it decides is priced, and nothing is computed.

Idea      The engine's scheduler is bookkeeping over sequences of tokens and tables of blocks. It reads no token, so that sequences of
          zeros do; whether its prompts in parts help is then a question of a second, for any model and machine.
Equation  Σ new tokens of a step ≤ budget
Paper     A. Agrawal et al., "Taming throughput-latency tradeoff in LLM inference with Sarathi-Serve", OSDI 2024, section 4.
Cost      That of the scheduler: some microseconds a sequence and step.
"""

from __future__ import annotations

from dataclasses import replace
from math import isnan

from mlsys_core.serving import scheduler, sequence
from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.simulator.memory import Usage
from mlsys_core.serving.simulator.schedulers import Scheduler
from mlsys_core.serving.simulator.sequence import Sequence
from mlsys_core.serving.simulator.timing import Batch


class EngineBatching(Scheduler):
    """The engine's scheduler on `slots` tokens in blocks. Preempted sequences start again: to swap takes time that is not priced."""

    def __init__(self, slots: int, block: int, config: scheduler.SchedulerConfig) -> None:
        self._slots, self._blocks = slots, BlockManager(slots // block, block, share=False)
        self._core = scheduler.Scheduler(replace(config, preemption="recompute"), self._blocks)
        self._step = scheduler.Batch()
        self._ours: dict[int, Sequence] = {}
        self._theirs: dict[Sequence, sequence.Sequence] = {}

    @property
    def waiting(self) -> list[sequence.Sequence]:
        return self._core.waiting

    @property
    def running(self) -> list[sequence.Sequence]:
        return self._core.running

    @property
    def slots(self) -> int:
        return self._slots

    def usage(self) -> Usage:
        held = sum(table.length for table in self._blocks.tables.values())
        given = sum(len(table.blocks) for table in self._blocks.tables.values()) * self._blocks.block_size
        return Usage(held, 0, given - held, self._slots - given)

    def add(self, sequence_: Sequence) -> None:
        number, request = len(self._ours), sequence_.request
        theirs = sequence.Sequence(number, [0] * request.prompt, request.total, arrival=number)
        self._core.add(theirs)
        self._ours[number], self._theirs[sequence_] = sequence_, theirs

    def schedule(self, now: float) -> Batch:
        batch, self._step = Batch(), self._core.schedule()
        for theirs in self._step.preempted:
            ours = self._ours[theirs.id]
            ours.computed, ours.preemptions = 0, ours.preemptions + 1
        for work in self._step.works:
            ours = self._ours[work.sequence.id]
            ours.admitted_at = now if isnan(ours.admitted_at) else ours.admitted_at
            batch.add(ours, work.count)
        return batch

    def complete(self, batch: Batch, now: float) -> list[Sequence]:
        self._core.computed(self._step)
        ended = []
        for ours, new in batch.entries:
            theirs, before = self._theirs[ours], ours.generated
            if ours.advance(new, now):
                ours.finished_at = now
                self._core.finish(theirs)
                ended.append(ours)
            elif ours.generated > before:
                theirs.tokens.append(0)
        return ended
