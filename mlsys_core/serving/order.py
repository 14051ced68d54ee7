"""Who of those in line goes first: in order of arrival, or so that what is cached is used before it is evicted.

Idea      With a prefix cache the order of requests decides how much of the cache is hit. The longest stored prefix first keeps together
          those that share. If all requests are known, a depth-first walk over the tree of their prompts computes each prefix once; the
          lexicographic order of the prompts is such a walk.
Equation  best hit rate = 1 - |pages of the tree of all prompts| / Σ pages of the prompts, reached depth-first if the cache holds the
          longest prompt
Paper     L. Zheng et al., "SGLang: efficient execution of structured language model programs", NeurIPS 2024, section 3 and the
          theorem there (depth-first is optimal; longest prefix first is it too, when it is applied to a fixed set).
Cost      A walk of each prompt through the tree, or a sort of the prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.sequence import Sequence

Order = Callable[[Iterable[Sequence], BlockManager], list[Sequence]]


def first_come(waiting: Iterable[Sequence], blocks: BlockManager) -> list[Sequence]:  # noqa: ARG001 - an Order
    """In order of arrival, and of the outputs of one request."""
    return sorted(waiting, key=lambda s: (s.arrival, s.id))


def longest_prefix(waiting: Iterable[Sequence], blocks: BlockManager) -> list[Sequence]:
    """Those first of whom most is stored; among equals in order of arrival."""
    return sorted(waiting, key=lambda s: (-blocks.cached(s.tokens), s.arrival, s.id))


def depth_first(waiting: Iterable[Sequence], blocks: BlockManager) -> list[Sequence]:  # noqa: ARG001 - an Order
    """A walk over the tree of the prompts: those that begin alike follow each other."""
    return sorted(waiting, key=lambda s: (s.tokens, s.arrival, s.id))


ORDERS: dict[str, Order] = {"fcfs": first_come, "longest-prefix": longest_prefix, "depth-first": depth_first}


def best_hit_rate(prompts: Iterable[list[int]], page_size: int) -> float:
    """The part of the prompts' tokens that need not be computed if each page that two prompts share is computed once.

    As the cache does, it never counts a prompt's last token as stored.
    """
    seen: set[tuple[int, ...]] = set()
    hit = total = 0
    for prompt in sorted(prompts):
        total += len(prompt)
        ends = range(page_size, len(prompt) + 1, page_size)
        hit += page_size * sum(end < len(prompt) and tuple(prompt[:end]) in seen for end in ends)
        seen.update(tuple(prompt[:end]) for end in ends)
    return hit / max(1, total)
