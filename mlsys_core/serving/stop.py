"""Stop sequences in a stream: what might be the beginning of one is held back until it is known.

Idea      A stop sequence ends an output and is no part of it, so a stream must not send its first half. The tokens at the end that could
          still become a stop sequence wait; as soon as they cannot, they go.
Equation  held = the longest end of the output that is a beginning of a stop sequence, and not all of it
Paper     A. Aho, M. Corasick, "Efficient string matching", CACM 18(6), 1975, has the automaton; a handful of short sequences needs none.
Cost      O(Σ length²) of the stop sequences a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

Extra = TypeVar("Extra")


class StopWatch(Generic[Extra]):
    """The end of one output. Each token comes with something of its own, for instance its log-probability, and goes with it."""

    def __init__(self, stops: Iterable[Sequence[int]]) -> None:
        self.stops = [list(stop) for stop in stops]
        self._held: list[tuple[int, Extra]] = []

    def push(self, token: int, extra: Extra) -> tuple[list[tuple[int, Extra]], bool]:
        """Takes the next token; returns what can be sent now, and whether the output has ended."""
        self._held.append((token, extra))
        tokens = [t for t, _ in self._held]
        for stop in self.stops:
            if tokens[-len(stop) :] == stop:
                return self._release(len(tokens) - len(stop)), True
        return self._release(len(tokens) - self._possible(tokens)), False

    def flush(self) -> list[tuple[int, Extra]]:
        """What was held back, when the output ends for another reason."""
        return self._release(len(self._held))

    def _possible(self, tokens: list[int]) -> int:
        """How many tokens at the end may become a stop sequence."""
        lengths = (n for stop in self.stops for n in range(1, len(stop)) if tokens[-n:] == stop[:n])
        return max(lengths, default=0)

    def _release(self, count: int) -> list[tuple[int, Extra]]:
        sent, self._held = self._held[:count], self._held[count:]
        return sent
