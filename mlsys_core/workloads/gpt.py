"""A decoder-only language model as they are built now, on torch: the workload that every other topic here cuts, shards and prices.

Idea      The transformer of GPT-2 with four replacements: RMSNorm for LayerNorm, rotary positions for learned ones, SwiGLU for
          GELU, and fewer heads of keys and values than of queries.
Equation  x ← x + W_o attention(rope(W_q n), rope(W_k n), W_v n), n = rmsnorm(x);   x ← x + W_d (silu(W_g n) ⊙ W_u n)
Paper     H. Touvron et al., "LLaMA: open and efficient foundation language models", arXiv 2302.13971, section 2.2;
          J. Su et al., "RoFormer", arXiv 2104.09864; N. Shazeer, "GLU variants improve transformer", arXiv 2002.05202;
          J. Ainslie et al., "GQA", EMNLP 2023; B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019.
Cost      A block has d² (2 + 2 k/h) + 3 d f parameters for width d, h heads, k of them with keys of their own, f inside the
          network; `accounting` counts the rest exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's name


@dataclass(frozen=True)
class GPTConfig:
    """Sizes of a model. `ffn` is the inner width of SwiGLU; `kv_heads` divides `heads`, which divides `dim`."""

    vocab_size: int = 65
    context: int = 64
    dim: int = 64
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    ffn: int = 176
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    tie_embeddings: bool = False

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"A width of {self.dim} cannot be shared by {self.heads} heads: give a multiple.")
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} heads of keys evenly: give a divisor.")
        if self.head_dim % 2:
            raise ValueError(f"Heads {self.head_dim} wide have no pairs to turn by their position: give an even width.")

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.dim // self.heads


def rope(x: Tensor, positions: Tensor, theta: float) -> Tensor:
    """Turns pairs (x_i, x_{i+D/2}) of x (..., T, D) by position · theta^(-2i/D); positions (T,), integers."""
    half = x.shape[-1] // 2
    rates = theta ** (-torch.arange(half, dtype=torch.float64, device=positions.device) / half)
    angles = positions.to(torch.float64)[:, None] * rates
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) ⊙ weight over the last axis."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """x (..., dim) -> same."""
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):
    """Causal self-attention with grouped heads: x (B, T, dim) at positions (T,) -> (B, T, dim).

    `attend` may be replaced by another exact attention: q (B, H, T, D), k and v (B, K, T, D) -> (B, H, T, D).
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        kv = config.kv_heads * config.head_dim
        self.q_proj = nn.Linear(config.dim, config.dim, bias=False)
        self.k_proj = nn.Linear(config.dim, kv, bias=False)
        self.v_proj = nn.Linear(config.dim, kv, bias=False)
        self.o_proj = nn.Linear(config.dim, config.dim, bias=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Each position reads from itself and from those before it."""
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Project, turn, attend, join. The number of heads follows from the projections, which may be a shard's."""
        batch, time, _ = x.shape
        size, theta = self.config.head_dim, self.config.rope_theta
        q, k, v = (p(x).view(batch, time, -1, size).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        read = self.attend(rope(q, positions, theta), rope(k, positions, theta), v)
        return self.o_proj(read.transpose(1, 2).reshape(batch, time, -1))


class SwiGLU(nn.Module):
    """The feed-forward part: x (..., dim) -> same."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.dim, config.ffn, bias=False)
        self.up_proj = nn.Linear(config.dim, config.ffn, bias=False)
        self.down_proj = nn.Linear(config.ffn, config.dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """A gate and a value, multiplied and brought back."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """Attention, then the feed-forward part, each on a normalised copy of the residual stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.attn_norm, self.attn = RMSNorm(config.dim, config.norm_eps), Attention(config)
        self.ffn_norm, self.ffn = RMSNorm(config.dim, config.norm_eps), SwiGLU(config)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """x (B, T, dim) -> same."""
        x = x + self.attn(self.attn_norm(x), positions)
        return x + self.ffn(self.ffn_norm(x))


class GPT(nn.Module):
    """Tokens (B, T) -> logits (B, T, vocabulary)."""

    def __init__(self, config: GPTConfig, seed: int = 0) -> None:
        """Weights are drawn from N(0, 0.02²), the last projections of a block smaller by sqrt(2 layers), as in GPT-2."""
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        self.head = nn.Linear(config.dim, config.vocab_size, bias=False)
        draws = torch.Generator().manual_seed(seed)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                last = name.endswith(("o_proj.weight", "down_proj.weight"))
                deviation = 0.02 / (2 * config.layers) ** 0.5 if last else 0.02
                with torch.no_grad():
                    weight.normal_(0.0, deviation, generator=draws)
        if config.tie_embeddings:
            self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Logits of the next token at each place; `positions` (T,) where the tokens are a part of a longer sequence."""
        where = torch.arange(tokens.shape[1], device=tokens.device) if positions is None else positions
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, where)
        return self.head(self.norm(x))

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats of targets (B, T) after tokens (B, T)."""
        return F.cross_entropy(self(tokens).flatten(0, 1), targets.flatten())
