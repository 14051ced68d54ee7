"""StreamingLLM: the first few tokens and the newest ones, at the positions that they have in the cache.

Idea      A softmax must put its weight somewhere; where nothing matters, models learn to put it on the first tokens. A window that drops
          them breaks the model, and one that keeps four of them does not. Positions are counted in the cache, so a text of any length
          never shows the model a distance that it was not trained on. The newest tokens lie in a ring: a new one goes where the oldest
          was, and nothing moves.
Equation  slot of token p = p for p < s, else s + (p - s) mod w;   its place = p for p < s, else s + p - max(s, N - w) after N tokens
Paper     G. Xiao, Y. Tian, B. Chen, S. Han, M. Lewis, "Efficient streaming language models with attention sinks", ICLR 2024,
          section 3.2 and figure 4.
Cost      min(N, s + w) tokens; every step turns all kept keys again, 3 operations a number, which is little beside reading them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mlsys_core.compression.kv.cache import LayerCache, attention_weights, vector_bytes, weighted
from mlsys_core.workloads.gpt import GPTConfig, rope


def places_in_ring(seen: int, sinks: int, recent: int) -> Tensor:
    """The place in the cache (n,) of the token in each slot, after `seen` tokens: sinks first, then from the oldest to the newest."""
    slots = torch.arange(min(seen, sinks + recent))
    oldest = max(0, seen - sinks - recent) % recent
    return torch.where(slots < sinks, slots, sinks + (slots - sinks - oldest) % recent)


class StreamingCache(LayerCache):
    """A layer's first `sinks` tokens and its last `recent` ones; keys are kept as they come and turned when they are read."""

    def __init__(self, theta: float, sinks: int, recent: int) -> None:
        super().__init__(theta)
        self.sinks, self.recent = sinks, recent

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The slots that are in use; the ring is reserved as a whole."""
        held = min(self.seen, self.sinks + self.recent)
        return self.keys[:, :, :held], self.values[:, :, :held]

    @property
    def positions(self) -> Tensor:
        """Places in the text (B, K, n), rising."""
        places = torch.arange(min(self.seen, self.sinks + self.recent))
        newest = self.seen - len(places) + places
        return torch.where(places < self.sinks, places, newest).expand(*self.keys.shape[:2], -1)

    def update(self, k: Tensor, v: Tensor) -> None:
        """Holds the new tokens beside the ring until they have read."""
        if self.seen == 0:
            batch, heads, _, width = k.shape
            self.keys, self.values = (k.new_empty(batch, heads, self.sinks + self.recent, width) for _ in range(2))
        self._new = k, v

    def attend(self, q: Tensor) -> Tensor:
        """The new tokens, at the places that follow, read the ring and themselves; then they enter the ring."""
        k, v = (torch.cat(two, 2) for two in zip(self.tensors, self._new, strict=True))
        held, time = k.shape[2] - q.shape[2], q.shape[2]
        new = torch.arange(held, held + time)
        places = torch.cat((places_in_ring(self.seen, self.sinks, self.recent), new)).to(k.device)
        weights = attention_weights(rope(q, new.to(q.device), self.theta), rope(k, places, self.theta))
        self._enter()
        return weighted(weights, v)

    def _enter(self) -> None:
        """Writes the new tokens that stay to their slots."""
        k, v = self._new
        end = self.seen + k.shape[2]
        tokens = torch.arange(self.seen, end, device=k.device)
        stay = (tokens < self.sinks) | (tokens >= end - self.recent)
        tokens = tokens[stay]
        slots = torch.where(tokens < self.sinks, tokens, self.sinks + (tokens - self.sinks) % self.recent)
        self.keys[:, :, slots], self.values[:, :, slots] = k[:, :, stay], v[:, :, stay]
        self.seen = end
        del self._new


@dataclass(frozen=True)
class StreamingLLM:
    """Keeps the first `sinks` tokens and the last `recent`."""

    recent: int
    sinks: int = 4

    def __post_init__(self) -> None:
        if self.recent < 1 or self.sinks < 0:
            raise ValueError(
                f"{self.sinks} first and {self.recent} last tokens are no window: keep at least the last token."
            )

    @property
    def budget(self) -> int:
        """Tokens that are kept at most."""
        return self.sinks + self.recent

    def layer(self, config: GPTConfig) -> StreamingCache:
        """An empty cache of one layer."""
        return StreamingCache(config.rope_theta, self.sinks, self.recent)

    def tokens(self, prompt: int, generated: int) -> int:
        """How many are kept."""
        return min(prompt + generated, self.budget)

    def held_bytes(self, config: GPTConfig, prompt: int, generated: int, element: int = 4) -> int:
        """Keys and values of the tokens in the window."""
        return vector_bytes(config, self.tokens(prompt, generated), element)
