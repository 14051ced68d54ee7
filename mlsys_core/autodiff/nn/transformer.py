"""A decoder-only transformer over characters.

Idea      Positions exchange information by attention and then think alone in a two-layer network; each writes what it
          found onto a residual stream that runs from the embedding to the output.
Equation  x ← x + W_o attention(LN(x) W_q, LN(x) W_k, LN(x) W_v);   x ← x + W₂ gelu(W₁ LN(x))
Paper     A. Vaswani et al., "Attention is all you need", NeurIPS 2017; A. Radford et al., "Language models are unsupervised
          multitask learners", 2019 (GPT-2: normalisation before each part, tanh GELU).
Cost      12 d² parameters a block; 24 B T d² + 4 B T² d FLOPs a block forward, twice that backward.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsys_core.autodiff import ops
from mlsys_core.autodiff.nn.layers import Dropout, Embedding, LayerNorm, Linear
from mlsys_core.autodiff.nn.module import Module
from mlsys_core.autodiff.tensor import Tensor


class MultiHeadAttention(Module):
    """Causal self-attention with several heads: x (B, T, width) -> (B, T, width)."""

    def __init__(self, width: int, heads: int, rng: np.random.Generator, *, dtype: Any = np.float32) -> None:
        if width % heads:
            raise ValueError(
                f"A width of {width} cannot be shared by {heads} heads: it must be a multiple of their number."
            )
        self.heads = heads
        self.qkv = Linear(width, 3 * width, rng, dtype=dtype)
        self.proj = Linear(width, width, rng, dtype=dtype)

    def forward(self, *inputs: Any) -> Tensor:
        """Each position reads from itself and those before it."""
        (x,) = inputs
        batch, time, width = x.shape
        # (B, T, 3, H, D) -> (3, B, H, T, D)
        qkv = self.qkv(x).reshape(batch, time, 3, self.heads, width // self.heads).transpose(2, 0, 3, 1, 4)
        read = ops.attention(qkv[0], qkv[1], qkv[2], causal=True)
        joined = ops.reshape(ops.transpose(read, (0, 2, 1, 3)), (batch, time, width))
        return self.proj(joined)


class MLP(Module):
    """Two affine maps with a GELU between them: x (..., width) -> (..., width), four times as wide inside."""

    def __init__(self, width: int, rng: np.random.Generator, *, dtype: Any = np.float32) -> None:
        self.fc = Linear(width, 4 * width, rng, dtype=dtype)
        self.proj = Linear(4 * width, width, rng, dtype=dtype)

    def forward(self, *inputs: Any) -> Tensor:
        """Each position by itself."""
        return self.proj(ops.gelu(self.fc(inputs[0])))


class TransformerBlock(Module):
    """Attention and then an MLP, each on a normalised copy of the residual stream: x (B, T, width) -> same."""

    def __init__(
        self, width: int, heads: int, rng: np.random.Generator, *, dropout: float = 0.0, dtype: Any = np.float32
    ) -> None:
        self.ln1 = LayerNorm(width, dtype=dtype)
        self.attn = MultiHeadAttention(width, heads, rng, dtype=dtype)
        self.ln2 = LayerNorm(width, dtype=dtype)
        self.mlp = MLP(width, rng, dtype=dtype)
        self.drop = Dropout(dropout, rng)

    def forward(self, *inputs: Any) -> Tensor:
        """The residual stream after this block."""
        x: Tensor = inputs[0]
        x = x + self.drop(self.attn(self.ln1(x)))
        return x + self.drop(self.mlp(self.ln2(x)))


class GPT(Module):
    """Characters (B, T) -> logits (B, T, vocabulary), T at most `context`."""

    def __init__(
        self,
        vocabulary: int,
        context: int,
        *,
        width: int,
        heads: int,
        blocks: int,
        rng: np.random.Generator,
        dropout: float = 0.0,
        dtype: Any = np.float32,
    ) -> None:
        self.wte = Embedding(vocabulary, width, rng, dtype=dtype)
        self.wpe = Embedding(context, width, rng, dtype=dtype)
        self.blocks = [TransformerBlock(width, heads, rng, dropout=dropout, dtype=dtype) for _ in range(blocks)]
        self.ln_f = LayerNorm(width, dtype=dtype)
        self.head = Linear(width, vocabulary, rng, bias=False, dtype=dtype)

    def forward(self, *inputs: Any) -> Tensor:
        """Logits of the next character at each position."""
        (characters,) = inputs
        x = self.wte(characters) + self.wpe(np.arange(np.shape(characters)[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln_f(x))

    def loss(self, characters: Any, targets: Any) -> Tensor:
        """Mean cross-entropy in nats of targets (B, T) after characters (B, T)."""
        logits = self(characters)
        return ops.cross_entropy(logits.reshape(-1, logits.shape[-1]), ops.reshape(targets, -1))
