"""H2O: of the older tokens, those stay that have been read the most.

Idea      A few tokens get most of the attention, over many steps. So each head adds up what each token has been given, keeps the tokens
          with the largest sums, and beside them the newest, which have had no time to collect any. What is dropped never comes back,
          whatever the text asks for later.
Equation  F_i = Σ_t Σ_{h in group} A_{t,h,i};   kept = the `heavy` largest F_i among all but the last `recent` tokens, and these
Paper     Z. Zhang et al., "H2O: heavy-hitter oracle for efficient generative inference of large language models", NeurIPS 2023,
          section 4, algorithm 1.
Cost      min(N, heavy + recent) tokens, each with 8 bytes a head of keys more than its vectors: the sum, and its place in the text.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mlsys_core.compression.kv.cache import LayerCache, take, vector_bytes
from mlsys_core.workloads.gpt import GPTConfig

NOTE_BYTES = 8  # a float32 sum and an int32 place


class HeavyCache(LayerCache):
    """A layer's heavy hitters and newest tokens, chosen in each head of keys. `sums` (B, K, n) is what each token was given."""

    sums: Tensor
    places: Tensor

    def __init__(self, theta: float, policy: H2O) -> None:
        super().__init__(theta)
        self.policy = policy

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Vectors, sums and places."""
        return self.keys, self.values, self.sums, self.places

    @property
    def positions(self) -> Tensor:
        """Places in the text (B, K, n), rising."""
        return self.places

    def update(self, k: Tensor, v: Tensor) -> None:
        """New tokens begin with nothing."""
        where = torch.arange(self.seen, self.seen + k.shape[2], dtype=torch.int32, device=k.device)
        where = where.expand(*k.shape[:2], -1)
        sums = where.new_zeros(where.shape, dtype=torch.float32)
        first = self.seen == 0
        self.places = where if first else torch.cat((self.places, where), 2)
        self.sums = sums if first else torch.cat((self.sums, sums), 2)
        super().update(k, v)

    def settle(self, weights: Tensor) -> None:
        """Adds what was given in this step, and cuts to the budget."""
        self.sums = self.sums + self.policy.votes(weights)
        if self.sums.shape[2] > self.policy.budget:
            kept = self.policy.kept(self.sums)
            self.keys, self.values, self.sums, self.places = (take(tensor, kept) for tensor in self.tensors)


@dataclass(frozen=True)
class H2O:
    """Keeps the last `recent` tokens and `heavy` of those before them. The paper halves its budget between the two."""

    heavy: int
    recent: int

    def __post_init__(self) -> None:
        if self.heavy < 0 or self.recent < 1:
            raise ValueError(
                f"{self.heavy} heavy and {self.recent} last tokens are no budget: keep at least the last token."
            )

    @property
    def budget(self) -> int:
        """Tokens that are kept at most."""
        return self.heavy + self.recent

    def votes(self, weights: Tensor) -> Tensor:
        """What a step's queries gave to each token: weights (…, H / K, T, n) -> (…, n) float32."""
        return weights.sum((-3, -2), dtype=torch.float32)

    def kept(self, sums: Tensor) -> Tensor:
        """Which of n tokens stay, by what they were given in all: (…, n), more than the budget, -> (…, budget), rising."""
        held = sums.shape[-1]
        heavy = sums[..., : held - self.recent].topk(self.heavy, sorted=False).indices.sort().values
        last = torch.arange(held - self.recent, held, device=sums.device)
        return torch.cat((heavy, last.expand(*heavy.shape[:-1], -1)), -1)

    def layer(self, config: GPTConfig) -> HeavyCache:
        """An empty cache of one layer."""
        return HeavyCache(config.rope_theta, self)

    def tokens(self, prompt: int, generated: int) -> int:
        """How many are kept."""
        return min(prompt + generated, self.budget)

    def held_bytes(self, config: GPTConfig, prompt: int, generated: int, element: int = 4) -> int:
        """Vectors, sums and places of the tokens within the budget."""
        tokens = self.tokens(prompt, generated)
        return vector_bytes(config, tokens, element) + NOTE_BYTES * tokens * config.layers * config.kv_heads
