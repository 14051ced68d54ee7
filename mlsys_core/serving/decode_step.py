"""A step in which every sequence gets one token, arranged for a GPU that waits for memory and not for arithmetic.

Idea      At small batches a step is as long as it takes to read the weights, if nothing else is in the way. So projections that read the
          same input are one product, the rotations are computed once for all layers, and what lies between two products is left to a
          compiler to fuse. Shapes are fixed, so that the step can be recorded (`graph_runner`).
Equation  [q k v] = W_qkv n,  W_qkv = [W_q; W_k; W_v];   [g u] = W_gu n;   x ← x + W_d (silu(g) ⊙ u)
Paper     R. Pope et al., "Efficiently scaling Transformer inference", MLSys 2023, sections 2 and 3.4 (low-level).
Cost      `runner.weight_floor_s`, and the keys and values of all contexts; the weights are held a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.serving.attention import Layout, PagedAttention
from mlsys_core.serving.cache import PagedCache
from mlsys_core.serving.runner import rotation, turn
from mlsys_core.workloads.gpt import GPT, Block, GPTConfig

Step = Callable[..., Any]


class FusedBlock(NamedTuple):
    """A block's weights: two products where the model has five."""

    attn_norm: Tensor
    qkv: Tensor  # ((H + 2 Hk) D, dim)
    o: Tensor
    ffn_norm: Tensor
    gate_up: Tensor  # (2 ffn, dim)
    down: Tensor

    @classmethod
    def of(cls, block: Block) -> FusedBlock:
        """Copies a block's weights."""
        attn, ffn = block.attn, block.ffn
        qkv = torch.cat([p.weight.detach() for p in (attn.q_proj, attn.k_proj, attn.v_proj)])
        gate_up = torch.cat([ffn.gate_proj.weight.detach(), ffn.up_proj.weight.detach()])
        norms = block.attn_norm.weight.detach(), block.ffn_norm.weight.detach()
        return cls(norms[0], qkv, attn.o_proj.weight.detach(), norms[1], gate_up, ffn.down_proj.weight.detach())


def enter(x: Tensor, block: FusedBlock, rotated: tuple[Tensor, Tensor], config: GPTConfig) -> tuple[Tensor, ...]:
    """x (B, dim) -> queries (B, H, D), keys and values (B, Hk, D); `rotated` are cosines and sines (B, 1, D / 2)."""
    (cos, sin), kv_heads = rotated, config.kv_heads
    heads = F.linear(F.rms_norm(x, block.attn_norm.shape, block.attn_norm, config.norm_eps), block.qkv)
    q, k, v = heads.unflatten(-1, (-1, 2 * cos.shape[-1])).tensor_split((-2 * kv_heads, -kv_heads), dim=1)
    return turn(q, cos, sin), turn(k, cos, sin), v.contiguous()


def leave(x: Tensor, read: Tensor, block: FusedBlock, config: GPTConfig) -> Tensor:
    """Residual (B, dim) and what attention read (B, H, D) -> the residual after the block."""
    x = x + F.linear(read.flatten(1), block.o)
    gate, up = F.linear(F.rms_norm(x, block.ffn_norm.shape, block.ffn_norm, config.norm_eps), block.gate_up).chunk(
        2, dim=-1
    )
    return x + F.linear(F.silu(gate) * up, block.down)


def pass_on(
    x: Tensor, read: Tensor, pair: tuple[FusedBlock, FusedBlock], rotated: tuple[Tensor, Tensor], config: GPTConfig
) -> tuple[Tensor, ...]:
    """From the attention of one block to that of the next: the residual, and queries, keys and values."""
    block, after = pair
    x = leave(x, read, block, config)
    return x, *enter(x, after, rotated, config)


def finish(x: Tensor, read: Tensor, block: FusedBlock, ends: tuple[Tensor, Tensor], config: GPTConfig) -> Tensor:
    """From the attention of the last block to logits (B, vocabulary); `ends` are the weights of the last norm and of the head."""
    norm, head = ends
    return F.linear(F.rms_norm(leave(x, read, block, config), norm.shape, norm, config.norm_eps), head)


class DecodeStep:
    """The step of a model. `compiled` has torch fuse what lies between the products, which takes seconds for each size of batch."""

    def __init__(self, model: GPT, cache: PagedCache, attention: PagedAttention, *, compiled: bool) -> None:
        self.model, self.cache, self.attention = model, cache, attention
        self.blocks = [FusedBlock.of(block) for block in model.blocks]
        self.ends = model.norm.weight.detach(), model.head.weight.detach()
        make: Callable[[Step], Step] = fused if compiled else _as_it_is
        self.enter, self.pass_on, self.finish = make(enter), make(pass_on), make(finish)

    def __call__(self, tokens: Tensor, layout: Layout) -> Tensor:
        """Tokens (B,), one a sequence -> logits (B, vocabulary)."""
        config = self.model.config
        x = self.model.embed(tokens)
        rotated = rotation(layout.positions, config.head_dim, config.rope_theta, x.dtype)
        q, k, v = self.enter(x, self.blocks[0], rotated, config)
        for i, pair in enumerate(pairwise(self.blocks)):
            read = self._attend(i, q, k, v, layout)
            x, q, k, v = self.pass_on(x, read, pair, rotated, config)
        read = self._attend(len(self.blocks) - 1, q, k, v, layout)
        return self.finish(x, read, self.blocks[-1], self.ends, config)

    def _attend(self, i: int, q: Tensor, k: Tensor, v: Tensor, layout: Layout) -> Tensor:
        keys, values = self.cache.layer(i)
        self.attention.write(k, v, keys, values, layout.slots)
        return self.attention.attend(q, keys, values, layout)


def fused(function: Step) -> Step:
    """Compiled by torch for each size of its first argument.

    A product with one row is no work for matrix units. With coordinate descent torch makes it a reduction, which it fuses with its
    neighbours and tunes; that takes half a minute, so larger batches go without.
    """
    many: Step = torch.compile(function, dynamic=False)
    one: Step = torch.compile(function, dynamic=False, options={"coordinate_descent_tuning": True})

    def choose(x: Tensor, *others: Any) -> Any:
        return (one if len(x) == 1 else many)(x, *others)

    return choose


def _as_it_is(function: Step) -> Step:
    return function
