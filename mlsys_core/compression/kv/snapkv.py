"""SnapKV: the end of a prompt says which of its tokens will be needed.

Idea      What the last tokens of a prompt read is a good guess of what the answer will read: the question stands at the end. Once the
          prompt has been read, each head lets its last `window` queries vote. Votes are averaged over neighbours, so that a token which
          is needed brings the ones around it. The tokens with the most votes stay, and the window itself. The answer is kept whole.
Equation  V_i = Σ_{t in window} Σ_{h in group} A_{t,h,i};   V̄_i = (1/k) Σ_{|j-i| ≤ k/2} V_j
          kept = the b - window largest V̄_i, and the window
Paper     Y. Li et al., "SnapKV: LLM knows what you are looking for before generation", NeurIPS 2024, section 4.
Cost      min(prompt, b) + generated tokens, each with 4 bytes a head of keys for its place in the text; the choice is made once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.compression.kv.cache import LayerCache, take, vector_bytes
from mlsys_core.workloads.gpt import GPTConfig

PLACE_BYTES = 4  # int32


class SnapCache(LayerCache):
    """A layer's cache that is cut once, after its first piece."""

    places: Tensor

    def __init__(self, theta: float, policy: SnapKV) -> None:
        super().__init__(theta)
        self.policy = policy

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Vectors and places."""
        return self.keys, self.values, self.places

    @property
    def positions(self) -> Tensor:
        """Places in the text (B, K, n), rising."""
        return self.places

    def update(self, k: Tensor, v: Tensor) -> None:
        """New tokens come with their places."""
        where = torch.arange(self.seen, self.seen + k.shape[2], dtype=torch.int32, device=k.device)
        where = where.expand(*k.shape[:2], -1)
        self.places = torch.cat((self.places, where), 2) if self.seen else where
        super().update(k, v)

    def settle(self, weights: Tensor) -> None:
        """Cuts the prompt to its budget; `weights` of a first piece are square."""
        time, held = weights.shape[3:]
        if time == self.seen and held > self.policy.budget:
            kept = self.policy.kept(self.policy.votes(weights))
            self.keys, self.values, self.places = (take(tensor, kept) for tensor in self.tensors)


@dataclass(frozen=True)
class SnapKV:
    """Keeps `budget` tokens of a prompt, its last `window` among them, and all that comes after. `kernel` neighbours share votes."""

    budget: int
    window: int = 16
    kernel: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.window <= self.budget:
            raise ValueError(
                f"A window of {self.window} does not fit a budget of {self.budget}: give one from 1 to the budget."
            )
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"{self.kernel} neighbours have no middle: give an odd number.")

    def votes(self, weights: Tensor) -> Tensor:
        """What the last queries gave to each token: weights (…, H / K, T, n) -> (…, n)."""
        return weights[..., -self.window :, :].sum((-3, -2))

    def averaged(self, votes: Tensor) -> Tensor:
        """Votes (…, n) for the tokens before the window (…, n - window), each with its neighbours'; outside there are none."""
        before = votes[..., : -self.window].flatten(0, -2)
        averages = F.avg_pool1d(before, self.kernel, stride=1, padding=self.kernel // 2)
        return averages.unflatten(0, votes.shape[:-1])

    def kept(self, votes: Tensor) -> Tensor:
        """Which of n tokens stay: votes (…, n), more than the budget, -> (…, budget), rising."""
        held = votes.shape[-1]
        chosen = self.averaged(votes).topk(self.budget - self.window, sorted=False).indices.sort().values
        last = torch.arange(held - self.window, held, device=votes.device)
        return torch.cat((chosen, last.expand(*chosen.shape[:-1], -1)), -1)

    def layer(self, config: GPTConfig) -> SnapCache:
        """An empty cache of one layer."""
        return SnapCache(config.rope_theta, self)

    def tokens(self, prompt: int, generated: int) -> int:
        """How many are kept."""
        return min(prompt, self.budget) + generated

    def held_bytes(self, config: GPTConfig, prompt: int, generated: int, element: int = 4) -> int:
        """Vectors and places of what the prompt is cut to, and of what came after."""
        tokens = self.tokens(prompt, generated)
        return vector_bytes(config, tokens, element) + PLACE_BYTES * tokens * config.layers * config.kv_heads
