"""The model with a cache that a policy keeps small: tokens in, logits out, and what it costs in loss and bytes.

Idea      A layer asks of its cache only to take keys and values in and to be read. So the model runs as with a cache in one piece, and
          which policy is behind it changes nothing here. Keys are handed over before they are turned by their positions, because a
          policy may count positions in the cache and not in the text.
Equation  x ← x + W_o cache.attend(W_q n), after cache.update(W_k n, W_v n), n = rmsnorm(x);   x ← x + ffn(rmsnorm(x))
Paper     G. Xiao et al., "Efficient streaming language models with attention sinks", ICLR 2024, section 3.2 (keys before rotation).
Cost      A policy's `held_bytes`. A token dropped is dropped for good, so unlike `serving.contiguous` nothing can be taken back.

A piece of several tokens reads what is kept and itself, and only then is anything dropped: a prompt reads itself in full. These caches
are in one piece, for texts of one length; `paged` has them in the blocks of the engine.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.compression.kv.cache import LayerCache, Policy
from mlsys_core.workloads.gpt import GPT, Attention


class CompressedDecoder:
    """Reads tokens after those that it has read; every layer has a cache by `policy`. The model's weights are used and not copied."""

    def __init__(self, model: GPT, policy: Policy) -> None:
        self.length = 0
        self.layers = [policy.layer(model.config) for _ in model.blocks]
        self._model = model

    @property
    def held_bytes(self) -> int:
        """Bytes of all that the caches hold, of all texts of the batch."""
        return sum(layer.nbytes for layer in self.layers)

    def extend(self, tokens: Tensor) -> Tensor:
        """Reads tokens (B, T) after the ones before: logits (B, T, V) of what follows each. The first call brings the prompt."""
        model = self._model
        with torch.no_grad():
            x = model.embed(tokens)
            for block, cache in zip(model.blocks, self.layers, strict=True):
                x = x + _read(block.attn, block.attn_norm(x), cache)
                x = x + block.ffn(block.ffn_norm(x))
            logits: Tensor = model.head(model.norm(x))
        self.length += tokens.shape[1]
        return logits


def _read(attention: Attention, x: Tensor, cache: LayerCache) -> Tensor:
    """x (B, T, dim) -> same: project, let the cache take in and be read, join."""
    size = attention.config.head_dim
    q, k, v = (
        p(x).unflatten(2, (-1, size)).transpose(1, 2) for p in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    cache.update(k, v)
    joined: Tensor = attention.o_proj(cache.attend(q).transpose(1, 2).flatten(2))
    return joined


def continuation_loss(model: GPT, policy: Policy, windows: Tensor, prompt: int) -> tuple[float, int]:
    """How well texts are foretold from a small cache, and how large it is in the end.

    windows (B, T + 1): the first `prompt` tokens are read in one piece, the others up to T one by one. Returns the mean loss in nats of
    the tokens from prompt + 1 on, each of which is foretold from what the policy kept, and the bytes of one text's caches.
    Raises ValueError where no token is left to foretell.
    """
    if not 0 < prompt < windows.shape[1] - 1:
        raise ValueError(
            f"After a prompt of {prompt} in windows of {windows.shape[1]} no token is foretold from the cache: give a shorter prompt."
        )
    decoder = CompressedDecoder(model, policy)
    decoder.extend(windows[:, :prompt])
    steps = windows[:, prompt:-1].split(1, dim=1)
    logits = torch.cat([decoder.extend(token) for token in steps], dim=1)
    loss = F.cross_entropy(logits.flatten(0, 1), windows[:, prompt + 1 :].flatten())
    return float(loss), decoder.held_bytes // len(windows)
