"""A torch model with the names and shapes of ours, so that weights copy by name."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.autodiff.nn import GPT, Module


class Attention(nn.Module):
    """Causal self-attention with several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Split by heads, attend, join."""
        batch, time, width = x.shape
        q, k, v = (y.view(batch, time, self.heads, -1).transpose(1, 2) for y in self.qkv(x).chunk(3, -1))
        read = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(read.transpose(1, 2).reshape(batch, time, width))


class MLP(nn.Module):
    """Two affine maps with GPT-2's GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, 4 * width)
        self.proj = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Each position by itself."""
        return self.proj(F.gelu(self.fc(x), approximate="tanh"))


class Block(nn.Module):
    """Attention and an MLP, each on a normalised copy."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln1, self.attn = nn.LayerNorm(width), Attention(width, heads)
        self.ln2, self.mlp = nn.LayerNorm(width), MLP(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The residual stream."""
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class Transformer(nn.Module):
    """GPT-2's decoder."""

    def __init__(self, vocabulary: int, context: int, width: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.ln_f = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, characters: torch.Tensor) -> torch.Tensor:
        """Logits of the next character."""
        x = self.wte(characters) + self.wpe(torch.arange(characters.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln_f(x))

    def loss(self, characters: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy."""
        return F.cross_entropy(self(characters).flatten(0, 1), targets.flatten())


def copied(ours: Module, twin: nn.Module) -> nn.Module:
    """The twin in float64 with our weights; names and shapes must be the same, without exception."""
    twin.double().load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
    return twin


def pair(seed: int, blocks: int = 2, dtype: type = np.float64) -> tuple[GPT, Transformer]:
    """A small model of ours and its twin: 11 characters, 7 positions, width 12, 3 heads."""
    rng = np.random.default_rng(seed)
    ours = GPT(11, 7, width=12, heads=3, blocks=blocks, rng=rng, dtype=dtype)
    twin = Transformer(11, 7, width=12, heads=3, blocks=blocks)
    copied(ours, twin)
    return ours, twin
