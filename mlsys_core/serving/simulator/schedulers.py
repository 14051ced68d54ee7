"""Which sequences a step reads: decided anew before every step.

Idea      A step may read the next token of some sequences and the prompts of others. Chosen anew each time, a request that ends makes
          room at once, and one that comes waits for a step and not for a batch.
Equation  a step reads one token of each sequence under way, and whole prompts of those for whom there is room, first come first served
Paper     G.-I. Yu et al., "Orca: a distributed serving system for transformer-based generative models", OSDI 2022, section 3;
          W. Kwon et al., SOSP 2023, section 4.5 (the last that came starts again when room is short).
Cost      A visit of every sequence a step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sized

from mlsys_core.serving.simulator.memory import Memory, Usage
from mlsys_core.serving.simulator.sequence import Sequence
from mlsys_core.serving.simulator.timing import Batch


class Scheduler(ABC):
    """Chooses what a step reads. `waiting` and `running` are sequences; `slots` of the memory hold a token each."""

    @property
    @abstractmethod
    def waiting(self) -> Sized:
        """Those that have no room."""

    @property
    @abstractmethod
    def running(self) -> Sized:
        """Those that have room."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """Size of the memory in tokens."""

    @abstractmethod
    def usage(self) -> Usage:
        """What the slots are used for now, in slots."""

    @abstractmethod
    def add(self, sequence: Sequence) -> None:
        """A request came. Raises ValueError for one that the memory could never hold."""

    @abstractmethod
    def schedule(self, now: float) -> Batch:
        """What the next step reads; nothing where nobody waits or runs."""

    @abstractmethod
    def complete(self, batch: Batch, now: float) -> list[Sequence]:
        """The step ended: its tokens come out. Returns the sequences that ended."""


class QueueScheduler(Scheduler):
    """One line of those that wait, and a memory that says for how many of them there is room."""

    def __init__(self, memory: Memory, max_batch: int) -> None:
        if max_batch < 1:
            raise ValueError(f"A batch of at most {max_batch} sequences serves none: allow at least 1.")
        self.memory, self.max_batch = memory, max_batch
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []

    @property
    def waiting(self) -> deque[Sequence]:
        return self._waiting

    @property
    def running(self) -> list[Sequence]:
        return self._running

    @property
    def slots(self) -> int:
        return self.memory.slots

    def usage(self) -> Usage:
        return self.memory.usage()

    def add(self, sequence: Sequence) -> None:
        if not self.memory.fits(sequence.request):
            raise ValueError(
                f"A request of {sequence.request.total} tokens does not fit into the memory, even alone: "
                "give it more slots, or reserve for longer texts."
            )
        self._waiting.append(sequence)

    def _admit(self, now: float) -> Sequence | None:
        """The first that waits runs from now on, if there is room for it."""
        if not self._waiting or len(self._running) == self.max_batch or not self.memory.admit(self._waiting[0]):
            return None
        sequence = self._waiting.popleft()
        if not sequence.preemptions:
            sequence.admitted_at = now
        self._running.append(sequence)
        return sequence


class ContinuousBatching(QueueScheduler):
    """A batch anew each step. Prompts are read whole; who lacks room for a token lets the last that came give its own back."""

    def schedule(self, now: float) -> Batch:
        batch, place = Batch(), 0
        while place < len(self._running):
            sequence = self._running[place]
            if self.memory.grow(sequence, 1):
                batch.add(sequence, 1)
                place += 1
            else:
                self._preempt()  # the last that came, which may be this one
        # who was preempted is the first in line, and needs more than is free now: nobody comes in this step
        while admitted := self._admit(now):
            self.memory.grow(admitted, admitted.known)
            batch.add(admitted, admitted.known)
        return batch

    def complete(self, batch: Batch, now: float) -> list[Sequence]:
        ended = [sequence for sequence, new in batch.entries if sequence.advance(new, now)]
        for sequence in ended:
            sequence.finished_at = now
            self.memory.release(sequence)
            self._running.remove(sequence)
        return ended

    def _preempt(self) -> None:
        """The last that came gives its room back, and will compute its keys again."""
        sequence = self._running.pop()
        self.memory.release(sequence)
        sequence.computed = 0
        sequence.preemptions += 1
        self._waiting.appendleft(sequence)
