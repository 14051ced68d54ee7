"""Task 5: a server whose clock, memory and model are the judge's own, and random loads for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Chunk = tuple[int, int, int]
Ask = Callable[[list[list[int]], dict[str, int]], Any]

# Seconds: of a step that reads the weights, of each token that is computed, of each token of context that is read
STEP_S, TOKEN_S, CONTEXT_S = 0.02, 1.5e-4, 4e-7
FIRST_TOKEN_S, EACH_TOKEN_S = 1.5, 0.07  # the objective


@dataclass
class Job:
    """A request as the judge knows it: `words` are its known tokens, `cache` what was computed of them."""

    number: int
    arrival_s: float
    words: list[int]
    answer: int
    cache: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Known tokens that are not in the cache."""
        return len(self.words) - len(self.cache)

    def compute(self, start: int, stop: int) -> None:
        """Enter tokens into the cache. Where it began too late there is a hole, which the model reads too."""
        self.cache[start:] = self.words[start:stop] if start <= len(self.cache) else [-1, *self.words[start:stop]]
        self.cache += [-1] * (stop - len(self.cache))

    def generate(self, now_s: float) -> None:
        """One token, which depends on all that is in the cache."""
        word = hash(tuple(self.cache)) % 50_021
        self.words.append(word)
        self.outputs.append(word)
        self.times.append(now_s)

    @property
    def done(self) -> bool:
        """Whether the answer is complete."""
        return len(self.outputs) == self.answer

    def in_time(self) -> bool:
        """Whether it met the objective: the first token, and the mean of the following ones."""
        if not self.done or self.times[0] - self.arrival_s > FIRST_TOKEN_S:
            return False
        return self.answer == 1 or (self.times[-1] - self.times[0]) / (self.answer - 1) <= EACH_TOKEN_S


def alone(job: Job) -> list[int]:
    """The answer to a request that has the server to itself."""
    one = Job(0, 0.0, list(job.words), job.answer)
    while not one.done:
        one.compute(0, len(one.words))
        one.generate(0.0)
    return one.outputs


def random_jobs(
    rng: np.random.Generator, count: int, *, prompts: tuple[int, int], answers: tuple[int, int], rate: float
) -> list[Job]:
    """Requests with lengths from these ranges, each within one of them as likely as any other, `rate` a second."""
    arrivals = np.cumsum(rng.exponential(1 / rate, count)) if rate else np.zeros(count)
    lengths = rng.integers(prompts[0], prompts[1], count), rng.integers(answers[0], answers[1], count)
    return [
        Job(i, float(at), [int(one) for one in rng.integers(50_000, size=prompt)], int(answer))
        for i, (at, prompt, answer) in enumerate(zip(arrivals, *lengths, strict=True))
    ]


class Server:
    """Runs requests step by step as `ask` says. What cannot run raises through `expect`; other faults are kept in `faults`."""

    def __init__(self, expect: Any, jobs: Sequence[Job], **limits: int) -> None:
        self.expect, self.limits = expect, limits
        self.jobs = [Job(job.number, job.arrival_s, list(job.words), job.answer) for job in jobs]
        self.now_s = 0.0
        self.steps = self.preemptions = 0
        self.faults: dict[str, str] = {}

    def run(self, ask: Ask) -> Server:
        """Until every request is done."""
        most = 60 + sum(len(job.words) + job.answer for job in self.jobs)
        while waiting := [job for job in self.jobs if not job.done]:
            present = [job for job in waiting if job.arrival_s <= self.now_s]
            if not present:
                self.now_s = waiting[0].arrival_s
                continue
            self.expect.that(self.steps < most, f"after {most:,} steps {len(waiting)} requests are not done")
            seen = [[job.number, len(job.words), len(job.cache), len(job.outputs)] for job in present]
            self._step(present, *self._read(ask(seen, self.limits), present))
        return self

    def _read(self, got: Any, present: Sequence[Job]) -> tuple[list[Chunk], list[int]]:
        """The batch, looked at before it is used."""
        that, numbers = self.expect.that, {job.number for job in present}
        chunks, preempt = (got.get(name) if isinstance(got, dict) else None for name in ("chunks", "preempt"))
        that(isinstance(chunks, list) and isinstance(preempt, list), "schedule returned no Batch")
        whole = [one for chunk in chunks for one in (chunk if isinstance(chunk, list) else [None])] + preempt
        formed = all(type(one) is int for one in whole) and all(len(chunk) == 3 for chunk in chunks)
        that(formed, "a batch has chunks (number, start, stop) and numbers to preempt")
        named = [chunk[0] for chunk in chunks] + preempt
        that(len(set(named)) == len(named), "a request stands in a batch more than once")
        that(set(named) <= numbers, "a batch names a request that is not there")
        return [(chunk[0], chunk[1], chunk[2]) for chunk in chunks], preempt

    def _step(self, present: Sequence[Job], chunks: list[Chunk], preempt: list[int]) -> None:
        by_number, said = {job.number: job for job in present}, f"step {self.steps}"
        self._look_at_order(said, present, chunks, preempt)
        for number in preempt:
            self.expect.that(by_number[number].cache, f"{said}: request {number} is preempted and holds nothing")
            by_number[number].cache = []
        self.preemptions += len(preempt)
        free = self._free(present)
        used = sum(stop - start for _, start, stop in chunks)
        budget = self.limits["token_budget"]
        self.expect.that(used <= budget, f"{said}: {used} tokens in a batch, and the budget is {budget}")
        context = sum(len(by_number[number].cache) for number, _, _ in chunks)
        stalled = [job.number for job in present if job.cache and job.left == 1 and job.number not in dict_of(chunks)]
        if stalled:
            self.faults.setdefault("stalls", f"{said}: request {stalled[0]} could go on by one token and had to wait")
        for number, start, stop in chunks:
            job = by_number[number]
            good = 0 <= start < stop <= len(job.words)
            self.expect.that(good, f"{said}: request {number} has {len(job.words)} tokens, no chunk ({start}, {stop})")
            job.compute(start, stop)
        self._look_at_limits(said, present)
        self._look_for_idle(said, present, chunks, preempt, budget - used)
        self.expect.that(chunks or (preempt and free), f"{said}: nothing is computed although requests wait")
        self.steps += 1
        self.now_s += STEP_S + TOKEN_S * used + CONTEXT_S * context
        for number, _, stop in chunks:
            if stop == len(by_number[number].words):
                by_number[number].generate(self.now_s)
                by_number[number].cache = by_number[number].cache if not by_number[number].done else []

    def _look_at_order(self, said: str, present: Sequence[Job], chunks: list[Chunk], preempt: list[int]) -> None:
        """First come, first served: starts in order of arrival, preemptions in the reverse."""
        holders = [job.number for job in present if job.cache]
        if sorted(preempt) != holders[len(holders) - len(preempt) :]:
            self.faults.setdefault("order", f"{said}: request {preempt[0]} is preempted, and later ones stay")
        if preempt:
            stays = [job for job in present if job.cache and (job.number not in preempt or job.number == min(preempt))]
            needed = sum(self._blocks(len(job.cache) + (job.left == 1)) for job in stays)
            if needed <= self.limits["num_blocks"]:
                self.faults.setdefault(
                    "order", f"{said}: request {min(preempt)} is preempted, and there are blocks for it"
                )
        idle = [job.number for job in present if not job.cache or job.number in preempt]
        starts = sorted(number for number, _, _ in chunks if number in idle)
        if starts != idle[: len(starts)]:
            self.faults.setdefault("order", f"{said}: request {starts[-1]} starts while an earlier one waits")

    def _look_at_limits(self, said: str, present: Sequence[Job]) -> None:
        seats, holders = self.limits["max_requests"], sum(bool(job.cache) for job in present)
        self.expect.that(holders <= seats, f"{said}: {holders} requests are in the cache, and there are {seats} seats")
        self.expect.that(self._free(present) >= 0, f"{said}: {-self._free(present)} blocks more than there are")

    def _look_for_idle(
        self, said: str, present: Sequence[Job], chunks: list[Chunk], preempt: list[int], budget: int
    ) -> None:
        """What else could have been computed in this step."""
        if budget <= 0:
            return
        size, free = self.limits["block_size"], self._free(present)
        served = dict_of(chunks)
        for job in present:
            room = free * size + -len(job.cache) % size
            if job.cache and job.left and (job.left > 1 or job.number not in served) and room:
                self.faults.setdefault(
                    "idle", f"{said}: budget and blocks are left, and request {job.number} does not go on"
                )
        promised = free - sum(
            self._blocks(len(job.words)) - self._blocks(len(job.cache)) for job in present if job.cache
        )
        waiting = [job for job in present if not job.cache]
        seats = self.limits["max_requests"] - (len(present) - len(waiting))
        if waiting and not preempt and seats > 0 and self._blocks(len(waiting[0].words) + 1) <= promised:
            self.faults.setdefault("idle", f"{said}: there is room, and request {waiting[0].number} does not start")

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self.limits["block_size"])

    def _free(self, present: Sequence[Job]) -> int:
        return self.limits["num_blocks"] - sum(self._blocks(len(job.cache)) for job in present)

    def check_answers(self) -> None:
        """The same tokens as when each request runs alone."""
        for job in self.jobs:
            fault = f"request {job.number} got other tokens than alone: it read a cache in which some were missing"
            self.expect.that(job.outputs == alone(Job(0, 0.0, job.words[: -job.answer], job.answer)), fault)

    def check(self, *kinds: str) -> None:
        """The answers, and no fault of these kinds."""
        self.check_answers()
        for kind in kinds:
            self.expect.that(kind not in self.faults, self.faults.get(kind, ""))

    def goodput(self) -> float:
        """Requests a second that met the objective, until the last one was done."""
        return sum(job.in_time() for job in self.jobs) / self.now_s


def asking(student: Any) -> Ask:
    """The student's scheduler."""
    return lambda requests, limits: student.call("scheduled", requests=requests, limits=limits)


def dict_of(chunks: Sequence[Chunk]) -> dict[int, tuple[int, int]]:
    """Chunks by the number of their request."""
    return {number: (start, stop) for number, start, stop in chunks}
