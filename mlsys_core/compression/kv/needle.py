"""A needle in a text, and a head of attention that finds it if the cache still has it.

Idea      Whether a policy drops what is needed later shows when something is needed later. A few rare words are planted in a text of
          common ones; the text ends with the first of them, and a reader is to go on with the rest. The reader is an induction head made
          by hand: it looks for a place where the present word was the one before, and says what stood there. Trained models have such
          heads; this one never errs with a full cache, so what it gets wrong is the policy's doing.
Equation  q_t = β √D e(x_t),  k_t = e(x_{t-1}),  v_t = e(x_t);   said: the word w with the largest e(w) · o_t
Paper     C. Olsson et al., "In-context learning and induction heads", Transformer Circuits, 2022; G. Kamradt, "Needle in a haystack",
          2023 (the test).
Cost      One head of one layer, n² D operations for a text of n words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mlsys_core.compression.kv.cache import Policy
from mlsys_core.workloads.gpt import GPTConfig


@dataclass(frozen=True)
class InductionHead:
    """Words' vectors e (V, D) of length one, and how sharply the head looks, β.

    The first pair of each vector is zero: with an infinite `rope_theta` it is the only one that positions turn.
    """

    vectors: Tensor
    sharpness: float = 20.0

    @classmethod
    def drawn(cls, vocabulary: int, width: int, seed: int) -> InductionHead:
        """Vectors in random directions."""
        vectors = torch.randn(vocabulary, width, generator=torch.Generator().manual_seed(seed))
        vectors[:, [0, width // 2]] = 0.0
        return cls(vectors / vectors.norm(dim=1, keepdim=True))

    @property
    def config(self) -> GPTConfig:
        """What a policy has to know: one layer, one head."""
        width = self.vectors.shape[1]
        return GPTConfig(dim=width, layers=1, heads=1, kv_heads=1, rope_theta=math.inf)

    def parts(self, words: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, 1, T, D) of words (B, T); `before` (B, T) is the word before each, -1 for none."""
        present = self.vectors[words][:, None]
        previous = self.vectors[before][:, None] * (before >= 0)[:, None, :, None]
        return self.sharpness * self.vectors.shape[1] ** 0.5 * present, previous, present

    def said(self, read: Tensor) -> Tensor:
        """What was read (B, 1, T, D), as words (B, T)."""
        return (read[:, 0] @ self.vectors.T).argmax(-1)


@dataclass(frozen=True)
class Haystacks:
    """Texts (B, n) that end with the first word of a needle, the needles (B, m), and where they begin (B,)."""

    texts: Tensor
    needles: Tensor
    depths: Tensor


def haystacks(count: int, length: int, *, needle: int, common: int, rare: int, seed: int) -> Haystacks:
    """`count` texts of `length` words from `common`, each with `needle` different words from the `rare` ones after them, planted anywhere.

    Raises ValueError where a needle and its question do not fit, or there are too few rare words.
    """
    if not 2 <= needle <= min(rare, length - 1):
        raise ValueError(
            f"A needle of {needle} words of {rare} does not fit a text of {length}: give 2 or more that do."
        )
    draws = torch.Generator().manual_seed(seed)
    texts = torch.randint(common, (count, length), generator=draws)
    needles = common + torch.rand(count, rare, generator=draws).argsort(1)[:, :needle]
    depths = torch.randint(length - needle, (count,), generator=draws)
    texts.scatter_(1, depths[:, None] + torch.arange(needle), needles)
    texts[:, -1] = needles[:, 0]
    return Haystacks(texts, needles, depths)


def recall(policy: Policy, head: InductionHead, stacks: Haystacks) -> Tensor:
    """Which words of its needle each text gets right (B, m - 2), booleans, with what the policy kept of the text.

    The text is read in one piece, in full, so the needle's second word shows nothing. Each word after it is asked for by the right one
    before it.
    """
    cache = policy.layer(head.config)
    words = torch.cat((stacks.texts, stacks.needles[:, 1:-1]), 1)
    before = torch.cat((torch.full_like(words[:, :1], -1), words[:, :-1]), 1)
    length = stacks.texts.shape[1]
    found = []
    for start, end in [(0, length), *((t, t + 1) for t in range(length, words.shape[1]))]:
        q, k, v = head.parts(words[:, start:end], before[:, start:end])
        cache.update(k, v)
        found.append(head.said(cache.attend(q))[:, -1])
    return torch.stack(found[1:], 1) == stacks.needles[:, 2:]
