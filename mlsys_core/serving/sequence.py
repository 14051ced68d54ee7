"""One output being generated, as the scheduler sees it: its tokens, and how many of them have keys and values in memory.

Idea      Prefill and decode are one thing: a sequence has tokens that are not computed yet, and when none is left, the next one can be
          drawn. A prompt has many such tokens at first, a running output has one, and a sequence that lost its memory has all of them.
Equation  due = |tokens| - computed;   a token is drawn when a step brings due to 0
Paper     G.-I. Yu et al., "Orca: a distributed serving system for Transformer-based generative models", OSDI 2022, section 3.
Cost      None to speak of.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from enum import Enum


class Status(Enum):
    """Where a sequence is: in line, in the batch, on the host, or done."""

    WAITING = "waiting"
    RUNNING = "running"
    SWAPPED = "swapped"
    FINISHED = "finished"


@dataclass(eq=False)
class Sequence:
    """A prompt and what has been generated after it.

    id        its number; no two have the same
    tokens    prompt and output so far
    prompt    how many of them are the prompt
    longest   how many there can be at most
    arrival   its place in the line; those who came first go first
    forks     how many more outputs split off from it once its prompt is computed; each needs a seat
    computed  how many of its first tokens have keys and values in memory
    """

    id: int
    tokens: list[int]
    longest: int
    arrival: int = 0
    forks: int = 0
    computed: int = 0
    status: Status = Status.WAITING
    preemptions: int = 0
    waited: int = 0  # schedules that it has seen without being taken
    cached: int = 0  # tokens of its first admission that were there already
    prompt: int = field(init=False)

    def __post_init__(self) -> None:
        self.prompt = len(self.tokens)
        if not self.tokens:
            raise ValueError("A sequence without a prompt has nothing to go on: give at least one token.")
        if self.longest < len(self.tokens):
            raise ValueError(
                f"{len(self.tokens)} tokens are more than the {self.longest} that this sequence is to have."
            )

    @property
    def due(self) -> int:
        """Tokens to compute before the next one can be drawn."""
        return len(self.tokens) - self.computed

    @property
    def output(self) -> Items[int]:
        """What has been generated."""
        return self.tokens[self.prompt :]

    @property
    def seats(self) -> int:
        """Places in a batch that it needs, now or soon."""
        return 1 + self.forks
