"""What a loop costs a server that keeps prefixes: each text begins with the one before it, so most of it is there.

Idea      A loop sends its whole text at every step, so what is read grows with the square of the steps. But the text only grows at its
          end, and keys and values of a token depend on nothing behind it. A prefix cache finds all but the last lines. A loop that
          changes the beginning of its text (a clock, a shortened history) finds nothing.
Equation  asked = Σ_i |text_i|;   hit = Σ_i s · ⌊min(lcp_i, |text_i| - 1) / s⌋,
          lcp_i = the longest prefix, in whole pages, that text_i shares with any before;   append-only: lcp_i = |text_{i-1}|
Paper     L. Zheng et al., "SGLang: efficient execution of structured language model programs", NeurIPS 2024, section 3.
Cost      O(tokens).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mlsys_core.serving.radix import RadixCache


@dataclass(frozen=True)
class Reuse:
    """Tokens of all prompts, and those of them that were there already."""

    asked: int
    hit: int

    @property
    def rate(self) -> float:
        """The part that need not be computed."""
        return self.hit / self.asked if self.asked else 0.0


def prefix_reuse(prompts: Iterable[Sequence[int]], page_size: int) -> Reuse:
    """Sends prompts through a radix cache without limit, in this order. A prompt's last token is always computed."""
    cache, pages = RadixCache(page_size), 0
    asked = hit = 0
    for prompt in prompts:
        asked += len(prompt)
        hit += page_size * len(cache.match_prefix(prompt[: len(prompt) - 1])[0])
        whole = len(prompt) // page_size
        cache.insert(prompt[: whole * page_size], range(pages, pages + whole))
        pages += whole
    return Reuse(asked, hit)


def append_only_cost(opening: int, added: Sequence[int], page_size: int) -> Reuse:
    """The same by formula for one loop: its first text's tokens, and what each step adds to it."""
    lengths = [opening]
    for tokens in added:
        lengths.append(lengths[-1] + tokens)
    hit = sum(page_size * (min(before, after - 1) // page_size) for before, after in pairwise(lengths))
    return Reuse(sum(lengths), hit)
