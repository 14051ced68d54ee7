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


class KIVICache(LayerCache):
    """A layer's tokens: `old_keys` (B, K, D, n) and `old_values` (B, K, n, D) in groups, `keys` and `values` the newest, whole."""

    def __init__(self, theta: float, bits: int, group: int, residual: int) -> None:
        super().__init__(theta)
        self.bits, self.group, self.residual = bits, group, residual
        self.old_keys: Groups | None = None
        self.old_values: Groups | None = None

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

    def attend(self, q: Tensor) -> Tensor:
        """As in every cache; then what is no longer new enters the groups."""
        read = super().attend(q)
        self._fold()
        return read

    def _fold(self) -> None:
        """Keys leave the window R at a time, whole groups of each channel; values one by one, when there are more than R."""
        held, width = self.keys.shape[2:]
        full = held // self.residual * self.residual
        if full:
            new = quantize(self.keys[:, :, :full].mT, self.bits, self.group)
            self.old_keys = new if self.old_keys is None else self.old_keys.followed_by(new, 3)
            self.keys = self.keys[:, :, full:].clone()  # a view would hold all of it
        out = self.values.shape[2] - self.residual
        if out > 0:
            new = quantize(self.values[:, :, :out], self.bits, min(self.group, width))
            self.old_values = new if self.old_values is None else self.old_values.followed_by(new, 2)
            self.values = self.values[:, :, out:].clone()


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
        if config.head_dim % min(self.group, config.head_dim):
            raise ValueError(
                f"Heads {config.head_dim} wide cannot be cut into groups of {self.group}: give one that divides them."
            )
        return KIVICache(config.rope_theta, self.bits, self.group, self.residual)

    def held_bytes(self, config: GPTConfig, prompt: int, generated: int, element: int = 4) -> int:
        """Groups of the older tokens, and whole vectors of the newest; keys and values leave the window at different times."""
        tokens, channels = prompt + generated, config.layers * config.kv_heads * config.head_dim
        whole_keys, whole_values = tokens % self.residual, min(tokens, self.residual)
        by_channel = group_bits(self.bits, self.group) * (tokens - whole_keys)
        by_token = group_bits(self.bits, min(self.group, config.head_dim)) * (tokens - whole_values)
        grouped = round(channels * (by_channel + by_token) / 8)
        return grouped + vector_bytes(config, whole_keys + whole_values, element) // 2
