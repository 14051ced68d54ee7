"""How many tokens to draft: a fixed number, or the one that the rounds so far say is best.

Idea      Long drafts waste what comes after a refused token, short ones waste the model's pass. The best length follows from how often
          tokens are kept and from what drafting costs. The first is not known, and changes with the text; each round shows some
          of it, so it is estimated with the newer rounds counting more, and the length is the best one for the estimate.
Equation  γ = argmax_g (1 - α^(g+1)) / ((1 - α)(g c + 1)), which is 0 where α ≤ c;
          α = kept / (kept + refused), older rounds weighted by (1 - 1/memory)^age
Paper     Y. Leviathan et al., ICML 2023, theorem 3.8 and corollary 3.9 (when drafting pays), section 3.5 (the best γ), section 5
          (that it should be adapted).
Cost      A few divisions a round. `regret` is what not knowing α costs; c is given, or measured where it will be paid (`draft_cost`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from mlsys_core.papers.speculative import best_gamma, improvement


@dataclass(frozen=True)
class Round:
    """Of one pass of the model: tokens drafted, and how many of them were kept. It gave one token more than that."""

    drafted: int
    accepted: int


class DraftLength(Protocol):
    """Says how many tokens to draft next, and hears what became of them."""

    def next(self, cost: float | None = None, /) -> int:
        """Tokens to draft in the next round, 0 or more. `cost` is c of that round, where the caller knows it."""

    def record(self, one: Round) -> None:
        """The round that followed; it may have drafted fewer."""


@dataclass(frozen=True)
class FixedLength:
    """Always the same."""

    gamma: int

    def next(self, _cost: float | None = None, /) -> int:
        """That number."""
        return self.gamma

    def record(self, one: Round) -> None:
        """Nothing is learned."""


class AdaptiveLength:
    """The best length for what the last rounds show.

    cost     c: time of drafting a token over that of a pass of the model, for rounds of which it is not known
    most     tokens to draft at most
    memory   tokens, kept or refused, after which one counts for 1/e
    probe    where drafting does not pay, one round in so many drafts a token, to see whether it does again

    One object may serve all outputs of an engine: they then show it together what is kept, and a step without guesses is one round.
    """

    def __init__(self, cost: float, most: int = 16, *, memory: float = 200.0, probe: int = 20) -> None:
        if cost < 0 or most < 1 or memory < 1 or probe < 1:
            raise ValueError(
                f"A cost of {cost}, at most {most} tokens, a memory of {memory} and a probe in {probe} rounds make no plan: "
                "the cost is at least 0, the others at least 1."
            )
        self.cost, self.most, self.memory, self.probe = cost, most, memory, probe
        self._kept = self._refused = 1.0  # as if one of each had been seen
        self._idle = 0

    @property
    def alpha(self) -> float:
        """How often a token is kept, as far as is known."""
        return self._kept / (self._kept + self._refused)

    def next(self, cost: float | None = None, /) -> int:
        """The best length now; 0 where drafting does not pay, but for the probes."""
        gamma = best_gamma(self.alpha, self.cost if cost is None else cost, self.most)
        return max(gamma, 1) if self._idle >= self.probe - 1 else gamma

    def record(self, one: Round) -> None:
        """Tokens after a refused one were not tested, and say nothing."""
        refused = int(one.accepted < one.drafted)
        fade = (1 - 1 / self.memory) ** (one.accepted + refused)
        self._kept = self._kept * fade + one.accepted
        self._refused = self._refused * fade + refused
        self._idle = 0 if one.drafted else self._idle + 1


def regret(rounds: Iterable[Round], alpha: float, cost: float, most: int = 16) -> float:
    """Time lost, in passes of the model, against the best fixed length for tokens that are kept with probability `alpha`.

    The expectation over such texts is 0 for that length and more for any other.
    """
    seen = list(rounds)
    spent = sum(one.drafted * cost + 1 for one in seen)
    tokens = sum(one.accepted + 1 for one in seen)
    return spent - tokens / improvement(alpha, best_gamma(alpha, cost, most), cost)
