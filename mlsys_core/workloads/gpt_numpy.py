"""The same language model on mlsys_core.autodiff: the twin by which the two engines check each other.

Idea      Parameters carry the names that they have in `gpt`, so a state moves between the two by name, and logits, losses and
          gradients must be equal. What differs is only who differentiates.
Equation  As in `gpt`: x ← x + W_o attention(rope(W_q n), rope(W_k n), W_v n);   x ← x + W_d (silu(W_g n) ⊙ W_u n)
Paper     Those of `gpt`.
Cost      The FLOPs of `accounting.gpt(…, recompute=False)`; attention keeps its T² weights a head, as there is no fused kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsys_core.autodiff import nn, ops
from mlsys_core.autodiff.nn import Embedding, Linear, RMSNorm
from mlsys_core.autodiff.tape import Array
from mlsys_core.autodiff.tensor import Tensor
from mlsys_core.workloads.gpt import GPTConfig


def rotations(positions: Array, width: int, theta: float, dtype: Any) -> tuple[Array, Array]:
    """Cosines and sines (T, width) of position · theta^(-2i/width), the second half of each row like the first."""
    half = width // 2
    rates = theta ** (-np.arange(half, dtype=np.float64) / half)
    angles = np.tile(positions.astype(np.float64)[:, None] * rates, 2)
    return np.cos(angles).astype(dtype), np.sin(angles).astype(dtype)


def rope(x: Tensor, cos: Array, sin: Array) -> Tensor:
    """Turns pairs (x_i, x_{i+D/2}) of x (..., T, D) by the angles of which these (T, D) are the cosines and sines."""
    half = x.shape[-1] // 2
    crossed = ops.concatenate((-x[..., half:], x[..., :half]), axis=-1)
    return x * cos + crossed * sin


class Attention(nn.Module):
    """Causal self-attention with grouped heads: x (B, T, dim) at positions (T,) -> (B, T, dim)."""

    def __init__(self, config: GPTConfig, rng: np.random.Generator, dtype: Any) -> None:
        self.config = config
        dim, kv = config.dim, config.kv_heads * config.head_dim
        self.q_proj = Linear(dim, dim, rng, bias=False, dtype=dtype)
        self.k_proj = Linear(dim, kv, rng, bias=False, dtype=dtype)
        self.v_proj = Linear(dim, kv, rng, bias=False, dtype=dtype)
        self.o_proj = Linear(dim, dim, rng, bias=False, dtype=dtype)

    def forward(self, *inputs: Any) -> Tensor:
        """Project, turn, attend, join. The queries of a group share their keys by broadcasting, which copies nothing."""
        x, positions = inputs
        (batch, time, dim), config = x.shape, self.config
        groups, kv_heads, width = config.heads // config.kv_heads, config.kv_heads, config.head_dim
        cos, sin = rotations(positions, width, config.rope_theta, x.dtype)
        # (B, T, K G D) -> (B, K, G, T, D)
        q = self.q_proj(x).reshape(batch, time, kv_heads, groups, width).transpose(0, 2, 3, 1, 4)
        k, v = (
            p(x).reshape(batch, time, kv_heads, 1, width).transpose(0, 2, 3, 1, 4) for p in (self.k_proj, self.v_proj)
        )
        shape = (batch, kv_heads, groups, time, width)
        turned = ops.broadcast_to(rope(k, cos, sin), shape)
        read = ops.attention(rope(q, cos, sin), turned, ops.broadcast_to(v, shape), causal=True)
        return self.o_proj(read.transpose(0, 3, 1, 2, 4).reshape(batch, time, dim))


class SwiGLU(nn.Module):
    """The feed-forward part: x (..., dim) -> same."""

    def __init__(self, config: GPTConfig, rng: np.random.Generator, dtype: Any) -> None:
        self.gate_proj = Linear(config.dim, config.ffn, rng, bias=False, dtype=dtype)
        self.up_proj = Linear(config.dim, config.ffn, rng, bias=False, dtype=dtype)
        self.down_proj = Linear(config.ffn, config.dim, rng, bias=False, dtype=dtype)

    def forward(self, *inputs: Any) -> Tensor:
        """A gate and a value, multiplied and brought back."""
        (x,) = inputs
        return self.down_proj(ops.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """Attention, then the feed-forward part, each on a normalised copy of the residual stream."""

    def __init__(self, config: GPTConfig, rng: np.random.Generator, dtype: Any) -> None:
        self.attn_norm = RMSNorm(config.dim, eps=config.norm_eps, dtype=dtype)
        self.attn = Attention(config, rng, dtype)
        self.ffn_norm = RMSNorm(config.dim, eps=config.norm_eps, dtype=dtype)
        self.ffn = SwiGLU(config, rng, dtype)

    def forward(self, *inputs: Any) -> Tensor:
        """x (B, T, dim) at positions (T,) -> same."""
        x: Tensor = inputs[0]
        positions: Array = inputs[1]
        x = x + self.attn(self.attn_norm(x), positions)
        return x + self.ffn(self.ffn_norm(x))


class GPT(nn.Module):
    """Tokens (B, T) -> logits (B, T, vocabulary)."""

    def __init__(self, config: GPTConfig, rng: np.random.Generator, dtype: Any = np.float32) -> None:
        """Weights are drawn from N(0, 0.02²), the last projections of a block smaller by sqrt(2 layers), as in `gpt`."""
        self.config = config
        self.embed = Embedding(config.vocab_size, config.dim, rng, dtype=dtype)
        self.blocks = [Block(config, rng, dtype) for _ in range(config.layers)]
        self.norm = RMSNorm(config.dim, eps=config.norm_eps, dtype=dtype)
        self.head = Linear(config.dim, config.vocab_size, rng, bias=False, dtype=dtype)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                last = name.endswith(("o_proj.weight", "down_proj.weight"))
                deviation = 0.02 / (2 * config.layers) ** 0.5 if last else 0.02
                weight.data[...] = deviation * rng.standard_normal(weight.shape)
        if config.tie_embeddings:
            self.head.weight = self.embed.weight

    def forward(self, *inputs: Any) -> Tensor:
        """Logits of the next token at each place; positions (T,) may follow the tokens, as in `gpt`."""
        tokens = np.asarray(inputs[0])
        positions = np.asarray(inputs[1]) if len(inputs) > 1 else np.arange(tokens.shape[1])
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, positions)
        return self.head(self.norm(x))

    def loss(self, tokens: Any, targets: Any) -> Tensor:
        """Mean cross-entropy in nats of targets (B, T) after tokens (B, T)."""
        logits = self(tokens)
        return ops.cross_entropy(logits.reshape(-1, logits.shape[-1]), np.asarray(targets).reshape(-1))
