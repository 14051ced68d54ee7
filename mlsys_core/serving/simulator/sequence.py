"""A request on its way: what is computed, what is generated, and when.

Idea      A sequence's tokens are its prompt and what was generated; the keys of some of them are computed. When all are, the step that
          did it gave the next token. The same rule serves whole prompts, parts of them, single tokens, and starting again.
Equation  computed = prompt + generated  ⇒  a token
Paper     G.-I. Yu et al., "Orca", OSDI 2022, section 3.1 (a step at a time).
Cost      None.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from mlsys_core.serving.simulator.trace import Request


@dataclass(slots=True, eq=False)
class Sequence:
    """The state of a request; times in seconds, `nan` for what has not happened.

    computed     tokens whose keys and values are held
    generated    tokens that came out
    token_at     when the last of them did
    longest_gap  the longest time between two of them
    """

    request: Request
    computed: int = 0
    generated: int = 0
    admitted_at: float = nan
    first_at: float = nan
    token_at: float = nan
    finished_at: float = nan
    longest_gap: float = 0.0
    preemptions: int = 0

    @property
    def known(self) -> int:
        """Tokens that are there to be read."""
        return self.request.prompt + self.generated

    def advance(self, new: int, now: float) -> bool:
        """`new` more tokens are computed; a token comes out if those were the last. True for the last token of all."""
        self.computed += new
        if self.computed < self.request.prompt + self.generated:
            return False
        if self.generated:
            self.longest_gap = max(self.longest_gap, now - self.token_at)
        else:
            self.first_at = now
        self.generated += 1
        self.token_at = now
        return self.generated == self.request.output
