"""What a run was like: for those who asked, and for those who pay for the machine.

Idea      A mean hides who waited. Requests want their first token soon and the others in a steady stream; goodput counts the requests
          that got both, as many a second as the machine can give.
Equation  TTFT = first - arrival;   TPOT = (last - first)/(n - 1);   normalized latency = (end - arrival)/n
          goodput = #{TTFT ≤ a, TPOT ≤ b} / time
Paper     G.-I. Yu et al., "Orca", OSDI 2022, section 6.2 (normalized latency); Y. Zhong et al., "DistServe", OSDI 2024, section 2
          (TTFT, TPOT, goodput under an objective).
Cost      One sum a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlsys_core.serving.simulator.memory import Usage
from mlsys_core.serving.simulator.schedulers import Scheduler
from mlsys_core.serving.simulator.sequence import Sequence

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """A run. Arrays have a number a request, in order of arrival; times in seconds.

    mean_batch   sequences that run, averaged over the time in which any does
    usage        parts of the memory, averaged over the time in which requests wait for room (over all time where none ever does)
    """

    sequences: list[Sequence]
    elapsed_s: float
    steps: int
    mean_batch: float
    busy_s: float
    usage: Usage

    @property
    def ttft_s(self) -> Numbers:
        """Time to the first token."""
        return np.array([s.first_at - s.request.arrival_s for s in self.sequences])

    @property
    def tpot_s(self) -> Numbers:
        """Time a token after the first; 0 for an output of one."""
        return np.array([(s.token_at - s.first_at) / max(1, s.request.output - 1) for s in self.sequences])

    @property
    def longest_gap_s(self) -> Numbers:
        """The longest wait between two tokens."""
        return np.array([s.longest_gap for s in self.sequences])

    @property
    def normalized_latency_s(self) -> Numbers:
        """Time from arrival to end, a token of the output."""
        return np.array([(s.finished_at - s.request.arrival_s) / s.request.output for s in self.sequences])

    @property
    def throughput(self) -> float:
        """Tokens generated a second."""
        return sum(s.generated for s in self.sequences) / self.elapsed_s

    @property
    def preemptions(self) -> int:
        """How often a sequence had to start again."""
        return sum(s.preemptions for s in self.sequences)

    def goodput(self, ttft_s: float, tpot_s: float) -> float:
        """Requests a second whose first token came within `ttft_s`, and the others within `tpot_s` each on average."""
        return float(np.count_nonzero((self.ttft_s <= ttft_s) & (self.tpot_s <= tpot_s)) / self.elapsed_s)


class Meter:
    """Sums over time while a run goes on."""

    def __init__(self) -> None:
        self.steps, self.busy_s, self.batch_s = 0, 0.0, 0.0
        # tokens, reservation, internal, external, each in slots · seconds; and the seconds
        self.short, self.always = np.zeros(5), np.zeros(5)
        self.slots = 1

    def step(self, scheduler: Scheduler, seconds: float) -> None:
        """A step that takes so long begins."""
        usage = scheduler.usage()
        self.slots = scheduler.slots
        parts = np.array([usage.tokens, usage.reservation, usage.internal, usage.external, 1.0]) * seconds
        self.always += parts
        if scheduler.waiting:
            self.short += parts
        self.steps += 1
        self.busy_s += seconds
        self.batch_s += len(scheduler.running) * seconds

    def result(self, sequences: list[Sequence], now: float) -> Result:
        """The run, which ended now."""
        sums = self.short if self.short[4] else self.always
        usage = Usage(*(sums[:4] / (max(sums[4], 1e-300) * self.slots)).tolist())
        return Result(sequences, now, self.steps, self.batch_s / max(self.busy_s, 1e-300), self.busy_s, usage)
