"""The kernels in the language model: the same parameters, the same numbers, fewer trips through memory.

Idea      A model whose parts are drop-in modules can change what computes them and keep its weights, its names and its loss. FusedGPT loads
          the state of a GPT. Its residual stream is added and normalised in one kernel, heads turn in one, the gate of the feed-forward
          part is one, and the loss never has all logits at once.
Equation  (n, s) ← (rmsnorm(s + f), s + f) after each part f of a block
Paper     P.-L. Hsu et al., "Liger Kernel: efficient Triton kernels for LLM training", arXiv 2410.10989, section 3.
Cost      Of a block's elementwise bytes forward, d numbers a token each: norm and addition 5 instead of 4 + 3, as rms_norm_bytes has it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mlsys_core.workloads.gpt import GPT, Attention, GPTConfig, RMSNorm, SwiGLU

from .linear_cross_entropy import linear_cross_entropy
from .rms_norm import add_rms_norm, rms_norm
from .rope import rope, rope_table
from .swiglu import swiglu


class FusedRMSNorm(RMSNorm):
    """RMSNorm by one kernel; with a residual it adds first and returns the sum too."""

    def forward(self, x: Tensor) -> Tensor:
        """x (..., dim) -> same."""
        return rms_norm(x, self.weight, self.eps)

    def add(self, x: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        """The norm of x + residual, both (..., dim), and the sum."""
        return add_rms_norm(x, residual, self.weight, self.eps)


class FusedSwiGLU(SwiGLU):
    """The feed-forward part, its gate in one kernel."""

    def forward(self, x: Tensor) -> Tensor:
        """x (..., dim) -> same."""
        return self.down_proj(swiglu(self.gate_proj(x), self.up_proj(x)))


class FusedAttention(Attention):
    """Attention whose queries and keys are turned by the kernel, where they lie, from a table made once."""

    def turned(self, x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        """x (B, T, dim) by a `rope_table` -> (B, T, dim)."""
        batch, time, _ = x.shape
        q, k, v = (
            proj(x).view(batch, time, -1, self.config.head_dim).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        read = self.attend(rope(q, *table), rope(k, *table), v)
        return self.o_proj(read.transpose(1, 2).reshape(batch, time, -1))

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """x (B, T, dim) at positions (T,) -> (B, T, dim)."""
        return self.turned(x, rope_table(positions, self.config.head_dim, self.config.rope_theta, x.dtype))


def fuse(module: nn.Module) -> None:
    """Changes the class of each part inside `module` to the one that computes it by a kernel; parameters stay where they are."""
    fused = {RMSNorm: FusedRMSNorm, SwiGLU: FusedSwiGLU, Attention: FusedAttention}
    for part in module.modules():
        part.__class__ = fused.get(type(part), type(part))


class FusedGPT(GPT):
    """A GPT with the same parameters by the same names: tokens (B, T) -> logits (B, T, vocabulary)."""

    def __init__(self, config: GPTConfig, seed: int = 0) -> None:
        """Weights as GPT draws them."""
        super().__init__(config, seed)
        fuse(self)

    def hidden(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """What the head is given: (B, T, dim)."""
        where = torch.arange(tokens.shape[1], device=tokens.device) if positions is None else positions
        stream = self.embed(tokens)
        table = rope_table(where, self.config.head_dim, self.config.rope_theta, stream.dtype)
        normed = self.blocks[0].attn_norm(stream)
        for block, following in zip(self.blocks, [*(b.attn_norm for b in self.blocks[1:]), self.norm], strict=True):
            normed, stream = block.ffn_norm.add(block.attn.turned(normed, table), stream)
            normed, stream = following.add(block.ffn(normed), stream)
        return normed

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Logits of the next token at each place; `positions` (T,) where the tokens are a part of a longer sequence."""
        return self.head(self.hidden(tokens, positions))

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats of targets (B, T) after tokens (B, T), without all logits at once."""
        return linear_cross_entropy(self.hidden(tokens), self.head.weight, targets)
