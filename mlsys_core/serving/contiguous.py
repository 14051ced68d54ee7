"""A model with a cache of keys and values in one piece: what was read is kept, and the last of it can be taken back.

Idea      A position reads the keys and values of those before it, which do not change when more tokens come. Kept, a token costs one
          pass of its own in place of a pass over all. They lie in order, so to forget the last tokens is to make a length smaller.
Equation  o_t = softmax(q_t K_{≤ t}ᵀ / √D) V_{≤ t}
Paper     N. Shazeer, "Fast transformer decoding: one write-head is all you need", arXiv 1911.02150, section 2.4.1 (incremental
          decoding); Y. Leviathan et al., ICML 2023, appendix A.1 (what was drafted wrongly is dropped).
Cost      `cache_bytes`: 2 · layers · heads of keys · D numbers a token.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.serving.blocks import kv_bytes
from mlsys_core.workloads.gpt import GPT, GPTConfig


class Decoder:
    """Reads tokens after those that it has read. `length` tokens are held, of at most `capacity`.

    The model's weights are used and not copied. It may be a rank's slice of a model: then the cache is of that rank's heads.
    """

    def __init__(self, model: GPT, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self._model = _sharing_weights(model)
        self._cache: list[tuple[Tensor, Tensor] | None] = [None] * len(self._model.blocks)
        for layer, block in enumerate(self._model.blocks):
            block.attn.attend = self._attend_in(layer)

    @property
    def held_bytes(self) -> int:
        """Bytes of keys and values of the tokens that are held."""
        tensors = [tensor for pair in self._cache if pair is not None for tensor in pair]
        return sum(t[:, :, : self.length].numel() * t.element_size() for t in tensors)

    def extend(self, tokens: Tensor) -> Tensor:
        """Reads tokens (B, T) after the ones that are held: logits (B, T, V) of what follows each.

        Raises ValueError where they are more than there is room for.
        """
        end = self.length + tokens.shape[1]
        if end > self.capacity:
            raise ValueError(
                f"There is room for {self.capacity} tokens and {end} would be held: make the cache larger, or take some back."
            )
        device = self._model.head.weight.device
        with torch.no_grad():
            logits: Tensor = self._model(tokens.to(device), torch.arange(self.length, end, device=device))
        self.length = end
        return logits

    def rollback(self, length: int) -> None:
        """Forgets all but the first `length` tokens. Raises ValueError where fewer are held."""
        if not 0 <= length <= self.length:
            raise ValueError(
                f"{self.length} tokens are held, so {length} cannot be kept: give a number from 0 to that."
            )
        self.length = length

    def _attend_in(self, layer: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            batch, heads, time, width = k.shape
            start, end = self.length, self.length + time
            keys, values = self._cache[layer] or (k.new_empty(batch, heads, self.capacity, width) for _ in range(2))
            self._cache[layer] = keys, values
            keys[:, :, start:end], values[:, :, start:end] = k, v
            places = torch.arange(end, device=k.device)
            before = places <= places[start:, None]
            k, v = keys[:, :, :end], values[:, :, :end]
            return F.scaled_dot_product_attention(q, k, v, attn_mask=before, enable_gqa=True)

        return attend


def cache_bytes(config: GPTConfig, tokens: int, element_size: int = 4) -> int:
    """Bytes of keys and values of so many tokens."""
    return kv_bytes(tokens, config.layers, config.kv_heads, config.head_dim, element_size)


def _sharing_weights(model: GPT) -> GPT:
    """A copy of the modules whose parameters, and whose group of ranks if there is one, are the model's own."""
    kept = [*model.parameters(), *(module.comm for module in model.modules() if hasattr(module, "comm"))]
    return deepcopy(model, {id(one): one for one in kept})
