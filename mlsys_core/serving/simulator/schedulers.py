"""Which sequences a step reads: decided anew before every step.

Idea      A step may read the next token of some sequences and the prompts of others. Chosen anew each time, a request that ends makes
          room at once, and one that comes waits for a step and not for a batch. With a limit on tokens a long prompt is read in parts,
          so that those who wait for their next token wait for no more than a short step.
Equation  Σ new tokens ≤ budget; sequences under way first, then those that wait, first come first served
Paper     G.-I. Yu et al., "Orca: a distributed serving system for transformer-based generative models", OSDI 2022, section 3;
          W. Kwon et al., SOSP 2023, section 4.5 (the last that came starts again when room is short); A. Agrawal et al., "Taming
          throughput-latency tradeoff in LLM inference with Sarathi-Serve", OSDI 2024, section 4 (prompts in parts).
Cost      A visit of every sequence a step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from mlsys_core.serving.simulator.memory import Memory
from mlsys_core.serving.simulator.sequence import Sequence
from mlsys_core.serving.simulator.timing import Batch


class Scheduler(ABC):
    """Sequences that wait, sequences that run, and their memory."""

    def __init__(self, memory: Memory, max_batch: int) -> None:
        if max_batch < 1:
            raise ValueError(f"A batch of at most {max_batch} sequences serves none: allow at least 1.")
        self.memory, self.max_batch = memory, max_batch
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    def add(self, sequence: Sequence) -> None:
        """A request came. Raises ValueError for one that the memory could never hold."""
        if not self.memory.fits(sequence.request):
            raise ValueError(
                f"A request of {sequence.request.total} tokens does not fit into the memory, even alone: "
                "give it more slots, or reserve for longer texts."
            )
        self.waiting.append(sequence)

    @abstractmethod
    def schedule(self, now: float) -> Batch:
        """What the next step reads; nothing where nobody waits or runs."""

    @abstractmethod
    def complete(self, batch: Batch, now: float) -> list[Sequence]:
        """The step ended: its tokens come out. Returns the sequences that ended."""

    def _admit(self, now: float) -> Sequence:
        """The first that waits has its room: it runs."""
        sequence = self.waiting.popleft()
        if not sequence.preemptions:
            sequence.admitted_at = now
        self.running.append(sequence)
        return sequence


class ContinuousBatching(Scheduler):
    """A batch anew each step, of at most `budget` tokens where that is given; else prompts are read whole."""

    def __init__(self, memory: Memory, max_batch: int = 256, *, budget: int | None = None) -> None:
        super().__init__(memory, max_batch)
        if budget is not None and budget < max_batch:
            raise ValueError(f"A budget of {budget} tokens is too small for {max_batch} sequences: each needs one.")
        self.budget = budget

    def schedule(self, now: float) -> Batch:
        batch, left = Batch(), self.budget or 1 << 60
        full = False
        place = 0
        while place < len(self.running):
            sequence = self.running[place]
            new = min(sequence.known - sequence.computed, left)
            if new and not self.memory.grow(sequence, new):
                full = True
                self._preempt()  # the last that came, which may be this one
                continue
            if new:
                batch.add(sequence, new)
                left -= new
            place += 1
        while self.waiting and left and not full and len(self.running) < self.max_batch:
            if not self.memory.admit(self.waiting[0]):
                break
            sequence = self._admit(now)
            new = min(sequence.known, left)
            self.memory.grow(sequence, new)
            batch.add(sequence, new)
            left -= new
        return batch

    def complete(self, batch: Batch, now: float) -> list[Sequence]:
        ended = [sequence for sequence, new in batch.entries if sequence.advance(new, now)]
        for sequence in ended:
            sequence.finished_at = now
            self.memory.release(sequence)
            self.running.remove(sequence)
        return ended

    def _preempt(self) -> None:
        """The last that came gives its room back, and will compute its keys again."""
        sequence = self.running.pop()
        self.memory.release(sequence)
        sequence.computed = 0
        sequence.preemptions += 1
        self.waiting.appendleft(sequence)
