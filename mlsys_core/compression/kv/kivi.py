"""KIVI: every token stays, in two or four bits, keys by channel and values by token, and the newest as they came.

Idea      Some channels of keys are large in all tokens; a scale for each channel keeps them from blurring the others. Values have no such
          channels, and a token's output is a sum over tokens, so each token gets its own scales. The newest tokens, which are read the
          most, are kept whole in a window, and enter the groups when enough of them have come.
Equation  keys: groups of g tokens of one channel;  values: groups of g channels of one token (of all, if there are fewer)
          whole keys: the last N mod R;  whole values: the last min(N, R)
Paper     Z. Liu et al., "KIVI: a tuning-free asymmetric 2bit quantization for KV cache", ICML 2024, section 3 and algorithm 1.
Cost      b + 32 / g bits a number (`groups.group_bits`) outside of the window; a step unpacks what is stored once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mlsys_core.compression.kv.cache import LayerCache, vector_bytes
from mlsys_core.compression.kv.groups import BITS, Groups, group_bits, quantize
from mlsys_core.workloads.gpt import GPTConfig


class KIVIWindow(LayerCache):
    """A layer's newest tokens, `keys` and `values`, whole; where the older ones are kept in groups is for others to say."""

    def __init__(self, theta: float, policy: KIVI) -> None:
        super().__init__(theta)
        self.policy = policy

    def attend(self, q: Tensor) -> Tensor:
        """As in every cache; then what is no longer new enters the groups."""
        read = super().attend(q)
        self._fold()
        return read

    def keep_keys(self, groups: Groups) -> None:
        """Stores the oldest keys of the window: groups of (B, K, D, n)."""
        raise NotImplementedError

    def keep_values(self, groups: Groups) -> None:
        """Stores the oldest values of the window: groups of (B, K, n, D)."""
        raise NotImplementedError

    def _fold(self) -> None:
        """Keys leave the window R at a time, whole groups of each channel; values one by one, when there are more than R."""
        held, width = self.keys.shape[2:]
        bits, group, residual = self.policy.bits, self.policy.group, self.policy.residual
        full = held // residual * residual
        if full:
            self.keep_keys(quantize(self.keys[:, :, :full].mT, bits, group))
            self.keys = self.keys[:, :, full:].clone()  # a view would hold all of it
        out = self.values.shape[2] - residual
        if out > 0:
            self.keep_values(quantize(self.values[:, :, :out], bits, min(group, width)))
            self.values = self.values[:, :, out:].clone()


class KIVICache(KIVIWindow):
    """The older tokens in one piece: `old_keys` (B, K, D, n) and `old_values` (B, K, n, D) in groups."""

    old_keys: Groups | None = None
    old_values: Groups | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Groups, and the window."""
        groups = [tensor for one in (self.old_keys, self.old_values) if one is not None for tensor in one.tensors]
        return *groups, self.keys, self.values

    def stored(self) -> tuple[Tensor, Tensor]:
        """Keys and values (B, K, n, D) of all tokens, the older ones as their groups give them back."""
        keys, values, dtype = self.keys, self.values, self.keys.dtype
        if self.old_keys is not None:
            keys = torch.cat((self.old_keys.dequantized(dtype).mT, keys), 2)
        if self.old_values is not None:
            values = torch.cat((self.old_values.dequantized(dtype), values), 2)
        return keys, values

    def keep_keys(self, groups: Groups) -> None:
        """Behind those that are kept."""
        self.old_keys = groups if self.old_keys is None else self.old_keys.followed_by(groups, 3)

    def keep_values(self, groups: Groups) -> None:
        """Behind those that are kept."""
        self.old_values = groups if self.old_values is None else self.old_values.followed_by(groups, 2)


@dataclass(frozen=True)
class KIVI:
    """Keeps all tokens in `bits` bits and groups of `group`, and about the last `residual`, a multiple of it, whole."""

    bits: int = 2
    group: int = 32
    residual: int = 32

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise ValueError(f"A cache of {self.bits} bits is not built here: choose 2, 4 or 8.")
        if self.group < 1 or self.group * self.bits % 8 or self.residual < 1 or self.residual % self.group:
            raise ValueError(
                f"Groups of {self.group} in a window of {self.residual} do not fill bytes and the window: give a group that does both."
            )

    def layer(self, config: GPTConfig) -> KIVICache:
        """An empty cache of one layer. Raises ValueError for heads that the groups do not divide."""
        self.channels(config)
        return KIVICache(config.rope_theta, self)

    def channels(self, config: GPTConfig) -> int:
        """Channels of a value that share a scale. Raises ValueError for heads that the groups do not divide."""
        shared = min(self.group, config.head_dim)
        if config.head_dim % shared:
            raise ValueError(
                f"Heads {config.head_dim} wide cannot be cut into groups of {self.group}: give one that divides them."
            )
        return shared

    def held_bytes(self, config: GPTConfig, prompt: int, generated: int, element: int = 4) -> int:
        """Groups of the older tokens, and whole vectors of the newest; keys and values leave the window at different times."""
        tokens, channels = prompt + generated, config.layers * config.kv_heads * config.head_dim
        whole_keys, whole_values = tokens % self.residual, min(tokens, self.residual)
        by_channel = group_bits(self.bits, self.group) * (tokens - whole_keys)
        by_token = group_bits(self.bits, min(self.group, config.head_dim)) * (tokens - whole_values)
        grouped = round(channels * (by_channel + by_token) / 8)
        return grouped + vector_bytes(config, whole_keys + whole_values, element) // 2
