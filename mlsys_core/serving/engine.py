"""The engine: requests go in at any time, and each step gives some of them their next token.

Idea      A loop of three: the scheduler says what to compute, the runner computes it, and a token is drawn for each sequence that has
          nothing left to compute. A request with several outputs is computed once up to the end of its prompt and then forked.
Equation  step: batch = schedule();  logits = run(batch);  token_s ~ p(logits_s) at the next random number of s
Paper     G.-I. Yu et al., "Orca", OSDI 2022, section 4; W. Kwon et al., "PagedAttention", SOSP 2023, sections 4.4 and 5.
Cost      A step of the model a step; tests hold its greedy tokens equal to those of one-by-one generation without a cache.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from mlsys_core.serving.attention import PagedAttention
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.graph_runner import runner_for
from mlsys_core.serving.metrics import Metrics, Times
from mlsys_core.serving.runner import Steps
from mlsys_core.serving.sampling import SamplingParams, generator_for, log_probabilities, pick, probabilities
from mlsys_core.serving.scheduler import Batch, Scheduler
from mlsys_core.serving.sequence import Sequence
from mlsys_core.serving.speculative_batch import Speculation, Speculator
from mlsys_core.serving.stop import StopWatch
from mlsys_core.workloads.gpt import GPT

Reason = Literal["stop", "length"]


@dataclass(frozen=True)
class Output:
    """What a step adds to one of a request's outputs: tokens with their log-probabilities in nats, and why it ended, if it did.

    "stop": a stop sequence came, which is left out; "length": max_tokens are reached. A step may add several tokens, or none.
    The log-probabilities are the model's own, before temperature and cuts.
    """

    request: int
    index: int
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: Reason | None = None


@dataclass
class _Choice:
    """One output of a request."""

    request: int
    index: int
    params: SamplingParams
    generator: torch.Generator
    watch: StopWatch[float]


@dataclass
class _Request:
    seed: int
    times: Times
    sequences: dict[int, Sequence] = field(default_factory=dict)  # by number, those that are not finished


class Engine:
    """Serves a model. `clock` gives seconds; `attention` defaults to plain torch. Not for use by several threads at once.

    `runner` makes what computes the steps, with a memory and an attention of its own, in place of the one that the configuration asks
    for; with `speculation` a step may add several tokens to an output. Raises ValueError for a runner and an attention, and for
    speculation over a runner that takes nothing back.
    """

    def __init__(
        self,
        model: GPT,
        config: EngineConfig | None = None,
        *,
        attention: PagedAttention | None = None,
        runner: Callable[[GPT, EngineConfig], Steps] | None = None,
        speculation: Speculation | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if runner and attention:
            raise ValueError("A runner brings its own attention: give one of the two.")
        config = config or EngineConfig()
        self.config, self.blocks, self.clock = config, config.manager(), clock
        self.scheduler = Scheduler(config.scheduler, self.blocks)
        self.runner: Steps = runner(model, config) if runner else runner_for(model, config, attention)
        if speculation and not self.runner.forks:
            raise ValueError("What this runner has read it cannot take back, so it cannot test guesses: serve without.")
        self._metrics = Metrics()
        self.speculator = Speculator(speculation, model.config, config, self.blocks, self._metrics)
        self._requests: dict[int, _Request] = {}
        self._choices: dict[int, _Choice] = {}  # by the sequence's number
        self._next_request = self._next_sequence = 0

    @property
    def busy(self) -> bool:
        """Whether a step has something to do."""
        return len(self.scheduler) > 0

    def add_request(self, prompt: Items[int], params: SamplingParams | None = None) -> int:
        """Takes a prompt of at least one token and returns the request's number.

        Raises ValueError for what can never be served: unknown tokens, more tokens than the model's context or the memory has room for,
        more outputs than run at once, or than one where the runner allows no more.
        """
        params, config = params or SamplingParams(), self.runner.model.config
        if not all(0 <= token < config.vocab_size for token in prompt):
            raise ValueError(f"The prompt has tokens outside the model's vocabulary of {config.vocab_size}.")
        if len(prompt) + params.max_tokens > config.context:
            raise ValueError(
                f"{len(prompt)} tokens of prompt and {params.max_tokens} to generate are more than the model's context of "
                f"{config.context}: shorten the prompt or ask for fewer."
            )
        if params.n > 1 and not self.runner.forks:
            raise ValueError(f"What is kept of a text belongs to one output, not to {params.n}: ask for one a request.")
        number = self._next_request
        sequence = Sequence(
            self._number(), list(prompt), len(prompt) + params.max_tokens, arrival=number, forks=params.n - 1
        )
        self.scheduler.add(sequence)
        self._next_request += 1
        seed = secrets.randbits(63) if params.seed is None else params.seed
        request = _Request(seed, Times(self.clock(), prompt_tokens=len(prompt)))
        self._requests[number] = request
        self._begin(number, sequence, 0, params)
        return number

    def step(self) -> list[Output]:
        """Computes one batch. Returns what it adds to the outputs that it advances; nothing when there is nothing to do."""
        if not self.busy:
            return []
        batch = self.scheduler.schedule()
        self._note_admissions(batch)
        self.speculator.draft(batch)
        logits = self.runner.run(batch, self.blocks)
        self.scheduler.computed(batch)
        self._metrics.steps += 1
        self._metrics.computed_tokens += batch.tokens
        rows = self._forked(batch, logits)
        drawn = [(sequence, [one]) for sequence, one in zip(rows, self._draw(rows), strict=True)]
        tested = self.speculator.settle([work for work in batch.works if work.drafted], logits)
        return [self._advance(sequence, tokens) for sequence, tokens in drawn + tested]

    def abort(self, request: int) -> bool:
        """Drops a request and its memory; False when it has ended or never was."""
        if request not in self._requests:
            return False
        for sequence in list(self._requests[request].sequences.values()):
            self._end(sequence, "abort")
        return True

    def knows(self, request: int) -> bool:
        """Whether a request has not ended."""
        return request in self._requests

    def metrics(self) -> Metrics:
        """Of this moment; the object is the engine's own."""
        found, pool = self._metrics, self.blocks.device
        found.waiting, found.running = len(self.scheduler.waiting), len(self.scheduler.running)
        found.swapped = len(self.scheduler.swapped)
        found.cache_use = 1.0 - self.blocks.available / pool.size
        found.prefix_hit_rate = self.blocks.hit_rate
        found.preemptions = dict(self.scheduler.preemptions)
        return found

    def times(self, request: int) -> Times:
        """Of a request that has not ended. Raises KeyError for others; `metrics` has the finished ones."""
        return self._requests[request].times

    def _number(self) -> int:
        self._next_sequence += 1
        return self._next_sequence

    def _begin(self, request: int, sequence: Sequence, index: int, params: SamplingParams) -> None:
        generator = generator_for(self._requests[request].seed, index)
        self._requests[request].sequences[sequence.id] = sequence
        self._choices[sequence.id] = _Choice(request, index, params, generator, StopWatch(params.stop))
        self.speculator.begin(sequence.id, params, generator)

    def _note_admissions(self, batch: Batch) -> None:
        now = self.clock()
        for work in batch.works:
            times = self._requests[self._choices[work.sequence.id].request].times
            if times.admitted is None:
                times.admitted, times.cached_tokens = now, work.sequence.cached

    def _forked(self, batch: Batch, logits: dict[int, Tensor]) -> dict[Sequence, Tensor]:
        """The logits of each sequence that gets a token and has no guesses, with those that split off now."""
        rows: dict[Sequence, Tensor] = {}
        for work in batch.works:
            if work.drafted or not work.draws:
                continue
            sequence, choice = work.sequence, self._choices[work.sequence.id]
            children = self.scheduler.fork(sequence, [self._number() for _ in range(sequence.forks)])
            for index, child in enumerate(children, start=1):
                self._begin(choice.request, child, index, choice.params)
            rows |= dict.fromkeys([sequence, *children], logits[sequence.id])
        return rows

    def _draw(self, rows: dict[Sequence, Tensor]) -> list[tuple[int, float]]:
        """A token and its log-probability for each row, each by its own request's rules and random numbers."""
        if not rows:
            return []
        logits = torch.stack(list(rows.values()))
        tokens = logits.argmax(-1)
        for i, sequence in enumerate(rows):
            choice = self._choices[sequence.id]
            if choice.params.temperature > 0.0:
                uniform = torch.rand((), dtype=torch.float64, generator=choice.generator)
                tokens[i] = pick(probabilities(logits[i], choice.params), uniform)
        return list(zip(tokens.tolist(), log_probabilities(logits, tokens).tolist(), strict=True))

    def _advance(self, sequence: Sequence, drawn: Items[tuple[int, float]]) -> Output:
        """Appends tokens up to the one with which the output ends, if it does."""
        choice, sent = self._choices[sequence.id], list[tuple[int, float]]()
        reason: Reason | None = None
        for token, logprob in drawn:
            sequence.tokens.append(token)
            self._requests[choice.request].times.note(self.clock(), len(sequence.output))
            self._metrics.output_tokens += 1
            more, stopped = choice.watch.push(token, logprob)
            sent += more
            if stopped:
                reason = "stop"
            elif len(sequence.tokens) == sequence.longest:
                sent, reason = sent + choice.watch.flush(), "length"
            if reason:
                self._end(sequence, reason)
                break
        return Output(choice.request, choice.index, tuple(t for t, _ in sent), tuple(p for _, p in sent), reason)

    def _end(self, sequence: Sequence, reason: str) -> None:
        self.scheduler.finish(sequence)
        self.speculator.end(sequence.id)
        choice = self._choices.pop(sequence.id)
        request = self._requests[choice.request]
        del request.sequences[sequence.id]
        self._metrics.finished[reason] = self._metrics.finished.get(reason, 0) + 1
        if not request.sequences:
            if reason != "abort":
                self._metrics.requests.append(request.times)
            del self._requests[choice.request]
