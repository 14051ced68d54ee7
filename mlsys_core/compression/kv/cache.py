"""What a layer keeps of the tokens that it has read, and the interface that every policy fills in; the plain cache keeps everything.

Idea      A cache of keys and values grows with the text until it is larger than the model. A policy says which tokens stay and how their
          numbers are stored. Whatever the policy, a step has the same two acts: the new tokens' keys and values come in, then the new
          tokens read, and after that the cache lets go of what its policy does not keep.
Equation  A = softmax(q Kᵀ / √D) over what is kept and the new tokens up to the reading one;   o = A V
Paper     N. Shazeer, "Fast transformer decoding: one write-head is all you need", arXiv 1911.02150, section 2.4.1 (incremental
          decoding); J. Ainslie et al., "GQA", EMNLP 2023 (heads that share keys).
Cost      `vector_bytes` a token, all layers; a step reads all that is kept once, and copies it once, since it appends by copying.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mlsys_core.serving.blocks import kv_bytes
from mlsys_core.workloads.gpt import GPTConfig, rope


def attention_weights(q: Tensor, k: Tensor) -> Tensor:
    """What the newest T of n tokens read, each from itself and from those before it.

    q (B, H, T, D) and k (B, K, n, D), turned by their positions -> (B, K, H / K, T, n), rows that sum to one.
    """
    groups, time, width = q.shape[1] // k.shape[1], q.shape[2], q.shape[3]
    scores = q.reshape(k.shape[0], k.shape[1], groups * time, width) @ k.mT * width**-0.5
    unseen = torch.ones(time, k.shape[2], dtype=torch.bool, device=k.device).triu(k.shape[2] - time + 1)
    return scores.unflatten(2, (groups, time)).masked_fill(unseen, -torch.inf).softmax(-1)


def weighted(weights: Tensor, v: Tensor) -> Tensor:
    """Weights (B, K, H / K, T, n) and values (B, K, n, D) -> (B, H, T, D)."""
    return (weights.flatten(2, 3) @ v).unflatten(2, weights.shape[2:4]).flatten(1, 2)


def take(x: Tensor, places: Tensor) -> Tensor:
    """Of x (B, K, n, …), what stands at places (B, K, m) along the tokens: (B, K, m, …)."""
    tail = x.shape[3:]
    return x.gather(2, places.reshape(*places.shape, *(1 for _ in tail)).expand(*places.shape, *tail))


class LayerCache:
    """One layer's cache that keeps everything, and the base of those that do not. `seen` tokens have been read.

    keys (B, K, n, D), turned by their positions in the text, and values (B, K, n, D): what is kept as it came.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, theta: float) -> None:
        """`theta` of the rotary positions (`GPTConfig.rope_theta`)."""
        self.theta, self.seen = theta, 0

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that is held between two steps."""
        return self.keys, self.values

    @property
    def nbytes(self) -> int:
        """Bytes of `tensors`."""
        return sum(int(tensor.nbytes) for tensor in self.tensors)

    @property
    def positions(self) -> Tensor:
        """Places in the text (B, K, n), rising, of the tokens that are kept."""
        return torch.arange(self.seen).expand(*self.keys.shape[:2], -1)

    def update(self, k: Tensor, v: Tensor) -> None:
        """Takes in keys (B, K, T, D), not turned yet, and values (B, K, T, D) of the next T tokens."""
        where = torch.arange(self.seen, self.seen + k.shape[2], device=k.device)
        k = rope(k, where, self.theta)
        if self.seen:
            k, v = torch.cat((self.keys, k), 2), torch.cat((self.values, v), 2)
        self.keys, self.values = k, v
        self.seen += len(where)

    def attend(self, q: Tensor) -> Tensor:
        """What the tokens of the last `update` read: q (B, H, T, D), not turned yet, -> (B, H, T, D). Then the policy cuts."""
        where = torch.arange(self.seen - q.shape[2], self.seen, device=q.device)
        keys, values = self.stored()
        weights = attention_weights(rope(q, where, self.theta), keys)
        self.settle(weights)
        return weighted(weights, values)

    def stored(self) -> tuple[Tensor, Tensor]:
        """Keys, turned, and values (B, K, n, D) as attention reads them."""
        return self.keys, self.values

    def settle(self, weights: Tensor) -> None:
        """Lets go of what is not to be kept, after the weights (B, K, H / K, T, n) of a step. The plain cache keeps everything."""


class Policy(Protocol):
    """Which tokens a cache keeps, and how it stores them."""

    def layer(self, config: GPTConfig) -> LayerCache:
        """An empty cache of one layer."""

    def held_bytes(self, config: GPTConfig, prompt: int, generated: int, element: int = 4) -> int:
        """Bytes of all layers for one text after a prompt in one piece and `generated` tokens more, one by one.

        `element`: bytes of a number that is stored as it came.
        """


@dataclass(frozen=True)
class Full:
    """The policy that keeps everything."""

    def layer(self, config: GPTConfig) -> LayerCache:
        """An empty cache of one layer."""
        return LayerCache(config.rope_theta)

    def held_bytes(self, config: GPTConfig, prompt: int, generated: int, element: int = 4) -> int:
        """Every token's keys and values."""
        return vector_bytes(config, prompt + generated, element)


def vector_bytes(config: GPTConfig, tokens: int, element: int = 4) -> int:
    """Bytes of the keys and values of so many tokens in all layers, stored as they came."""
    return kv_bytes(tokens, config.layers, config.kv_heads, config.head_dim, element)


def bytes_a_token(policy: Policy, config: GPTConfig, prompt: int, generated: int = 0, element: int = 4) -> float:
    """Bytes that a text takes for each of its tokens, kept or not."""
    return policy.held_bytes(config, prompt, generated, element) / (prompt + generated)
