"""When everything happens: a schedule with the durations of its stages, as exact fractions.

Idea      An action begins when its rank is free and what it needs has come. Ranks compute while messages are under way.
Equation  begin = max(end of the action before, max over needs (end of the maker + transfer, if it is another rank))
          bubble = (p · elapsed - Σ busy) / Σ busy,  which is (elapsed - busy) / busy for ranks with equal work
Paper     D. Narayanan et al., SC 2021, section 2.2.1: (p-1)/m; section 2.2.2: (p-1)/(v m).
Cost      One visit an action.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from mlsys_core.parallelism.pipeline.schedule import Action, Kind, Product, Schedule
from mlsys_core.parallelism.pipeline.validate import run_order

Time: TypeAlias = Fraction | int


@dataclass(frozen=True)
class Durations:
    """Times of one microbatch in each stage, in any unit: forward, and the two parts of backward; and of one message."""

    forward: tuple[Time, ...]
    input: tuple[Time, ...]
    weight: tuple[Time, ...]
    transfer: Time = 0

    def of(self, kind: Kind, stage: int) -> Fraction:
        """How long an action of a kind takes in a stage."""
        if kind is Kind.FORWARD:
            return Fraction(self.forward[stage])
        parts = {Kind.INPUT: (self.input,), Kind.WEIGHT: (self.weight,), Kind.BACKWARD: (self.input, self.weight)}
        return sum((Fraction(part[stage]) for part in parts[kind]), Fraction(0))


def durations(forward: Sequence[Time], backward: Sequence[Time], transfer: Time = 0) -> Durations:
    """Times by stage; half of a backward is for the input, half for the weights."""
    halves = tuple(Fraction(time) / 2 for time in backward)
    return Durations(tuple(forward), halves, halves, transfer)


def equal_stages(schedule: Schedule, forward: Time = 1, backward: Time = 2, transfer: Time = 0) -> Durations:
    """A rank's layers take `forward` and `backward` for a microbatch, whether they are one chunk or several."""
    stages, chunks = schedule.stages, schedule.chunks
    return durations([Fraction(forward) / chunks] * stages, [Fraction(backward) / chunks] * stages, transfer)


@dataclass(frozen=True)
class Step:
    """One action with its rank, its stage and its time."""

    rank: int
    stage: int
    action: Action
    begun_at: Fraction
    ended_at: Fraction


@dataclass(frozen=True)
class Timeline:
    """A schedule that was run by the clock."""

    schedule: Schedule
    steps: tuple[Step, ...]

    @property
    def elapsed(self) -> Fraction:
        """When the last action ends."""
        return max(step.ended_at for step in self.steps)

    def busy(self, rank: int) -> Fraction:
        """How long a rank computes."""
        return sum((step.ended_at - step.begun_at for step in self.steps if step.rank == rank), Fraction(0))

    @property
    def bubble(self) -> Fraction:
        """Idle time by useful time, over all ranks."""
        useful = sum((self.busy(rank) for rank in range(self.schedule.ranks)), Fraction(0))
        return (self.schedule.ranks * self.elapsed - useful) / useful


def simulate(schedule: Schedule, times: Durations) -> Timeline:
    """Runs a schedule by the clock. Raises ScheduleError where it would stop for ever."""
    free = [Fraction(0)] * schedule.ranks
    made_at: dict[Product, Fraction] = {}
    steps = []
    for rank, action in run_order(schedule):
        stage, begun_at = schedule.stage_of(rank, action), free[rank]
        for product in schedule.needs(rank, action):
            away = schedule.rank_of(product.stage) != rank
            begun_at = max(begun_at, made_at[product] + (times.transfer if away else 0))
        free[rank] = begun_at + times.of(action.kind, stage)
        if (made := schedule.makes(rank, action)) is not None:
            made_at[made] = free[rank]
        steps.append(Step(rank, stage, action, begun_at, free[rank]))
    return Timeline(schedule, tuple(steps))
