"""Room for keys and values: reserved in one piece for a whole request, or in blocks as it grows.

Idea      A request's length is not known when it comes. Room in one piece must be for the longest that it may become, and lies idle
          meanwhile; blocks are taken when they are needed, so that no more than a part of one block a sequence is idle.
Equation  slots = tokens + reservation (used later) + internal (never used) + external (free, or in no piece that is large enough)
Paper     W. Kwon et al., SOSP 2023, section 3.1 and figure 2 (the four parts; Oracle, Pow2, Max), section 4.
Cost      Blocks of b: (b - 1)/2 idle slots a sequence on average, and a table of ⌈n/b⌉ numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from mlsys_core.serving.simulator.buddy import Buddy
from mlsys_core.serving.simulator.sequence import Sequence
from mlsys_core.serving.simulator.trace import Request


@dataclass(frozen=True)
class Usage:
    """What slots are used for, in slots or, averaged over time, as parts of all."""

    tokens: float = 0.0
    reservation: float = 0.0
    internal: float = 0.0
    external: float = 0.0

    @property
    def of_allocated(self) -> float:
        """Part of the slots given out that holds a token."""
        given = self.tokens + self.reservation + self.internal
        return self.tokens / given if given else 1.0


class Memory(ABC):
    """Slots for tokens. `held` counts those that hold one."""

    def __init__(self, slots: int) -> None:
        self.slots, self.held = slots, 0

    @abstractmethod
    def fits(self, request: Request) -> bool:
        """Whether the request can be served at all, alone."""

    @abstractmethod
    def admit(self, sequence: Sequence) -> bool:
        """Gives room to a sequence that begins, or begins again; False where there is too little now."""

    @abstractmethod
    def grow(self, sequence: Sequence, new: int) -> bool:
        """Room for the next `new` tokens of an admitted sequence, which then are held; False where there is none now."""

    @abstractmethod
    def release(self, sequence: Sequence) -> None:
        """Takes all room of a sequence back."""

    @abstractmethod
    def usage(self) -> Usage:
        """What the slots are used for now, in slots."""


Reserve = Callable[[Request], int]


class BuddyMemory(Memory):
    """Room in one piece for as many tokens as `reserve` says of a request, by a buddy allocator. No sequence ever lacks room."""

    def __init__(self, slots: int, reserve: Reserve) -> None:
        super().__init__(slots)
        self.reserve, self._buddy = reserve, Buddy(slots)
        self._pieces: dict[Sequence, int] = {}
        self._largest = 1 << (slots.bit_length() - 1)
        self._reserved = self._wanted = 0

    def fits(self, request: Request) -> bool:
        return request.total <= self.reserve(request) <= self._largest

    def admit(self, sequence: Sequence) -> bool:
        size = self.reserve(sequence.request)
        start = self._buddy.allocate(size)
        if start is None:
            return False
        self._pieces[sequence] = start
        self._reserved += size
        self._wanted += sequence.request.total
        return True

    def grow(self, sequence: Sequence, new: int) -> bool:  # noqa: ARG002 - all room is there
        self.held += new
        return True

    def release(self, sequence: Sequence) -> None:
        self._buddy.release(self._pieces.pop(sequence))
        self._reserved -= self.reserve(sequence.request)
        self._wanted -= sequence.request.total
        self.held -= sequence.computed

    def usage(self) -> Usage:
        return Usage(self.held, self._wanted - self.held, self._reserved - self._wanted, self.slots - self._reserved)


class PagedMemory(Memory):
    """Blocks of `block` slots, anywhere. A part of them, `watermark`, is kept for sequences that grow."""

    def __init__(self, slots: int, block: int = 16, *, watermark: float = 0.01) -> None:
        super().__init__(slots)
        self.block, self.total = block, slots // block
        self.free, self._kept = self.total, int(watermark * self.total)
        self._blocks: dict[Sequence, int] = {}

    def fits(self, request: Request) -> bool:
        return self._needed(request.total) <= self.total

    def admit(self, sequence: Sequence) -> bool:
        needed = self._needed(sequence.known)
        if self.free - needed < (self._kept if self._blocks else 0):
            return False
        self.free -= needed
        self._blocks[sequence] = needed
        return True

    def grow(self, sequence: Sequence, new: int) -> bool:
        more = sequence.computed + new - self._blocks[sequence] * self.block
        if more > 0:
            if self.free < (blocks := self._needed(more)):
                return False
            self.free -= blocks
            self._blocks[sequence] += blocks
        self.held += new
        return True

    def release(self, sequence: Sequence) -> None:
        self.free += self._blocks.pop(sequence)
        self.held -= sequence.computed

    def usage(self) -> Usage:
        given = (self.total - self.free) * self.block
        return Usage(self.held, 0, given - self.held, self.slots - given)

    def _needed(self, tokens: int) -> int:
        return -(-tokens // self.block)
