"""One step of the model: the tokens of a batch in, the logits of those that are to go on out.

Idea      Everything in a decoder but attention treats each token alone, so the tokens of all sequences go through it as one row, whichever
          sequence and position they come from. Attention takes them apart again by the block tables.
Equation  x ← x + W_o paged(rope(W_q n), rope(W_k n), W_v n), n = rmsnorm(x);   x ← x + ffn(rmsnorm(x));   logits of each last token
Paper     G.-I. Yu et al., "Orca", OSDI 2022, section 3.2 (selective batching).
Cost      2 P FLOPs a token for P parameters, and attention's; below a few hundred tokens a step the weights' bytes are the time
          (`weight_floor_s`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, islice
from typing import Protocol

import torch
from torch import Tensor

from mlsys_core.serving.attention import Layout, PagedAttention, TorchAttention
from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.cache import PagedCache
from mlsys_core.serving.scheduler import Batch, Work
from mlsys_core.workloads.gpt import GPT, Attention


def weight_floor_s(model: GPT, bytes_per_s: float) -> float:
    """Seconds that no step can go below: each weight is read once. The embedding is looked up, and counts only where it is the head."""
    tied = model.head.weight is model.embed.weight
    read = sum(p.nbytes for p in model.parameters()) - (0 if tied else model.embed.weight.nbytes)
    return float(read) / bytes_per_s


def rotation(positions: Tensor, size: int, theta: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines (T, 1, size / 2) of `rope` at positions (T,), for all layers of a step."""
    half = size // 2
    rates = theta ** (-torch.arange(half, dtype=torch.float64, device=positions.device) / half)
    angles = (positions.to(torch.float64)[:, None] * rates)[:, None]
    return angles.cos().to(dtype), angles.sin().to(dtype)


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (T, heads, size), turned by its positions."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def forward(model: GPT, tokens: Tensor, layout: Layout, cache: PagedCache, attention: PagedAttention) -> Tensor:
    """Tokens (T,) of a batch -> the residual stream (T, dim) after the last block; their keys and values are in the cache then."""
    config = model.config
    x = model.embed(tokens)
    cos, sin = rotation(layout.positions, config.head_dim, config.rope_theta, x.dtype)
    for i, block in enumerate(model.blocks):
        keys, values = cache.layer(i)
        q, k, v = project(block.attn, block.attn_norm(x), cos, sin)
        attention.write(k, v, keys, values, layout.slots)
        read = attention.attend(q, keys, values, layout)
        x = x + block.attn.o_proj(read.flatten(1))
        x = x + block.ffn(block.ffn_norm(x))
    return x


def project(attn: Attention, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """x (T, dim) -> queries (T, H, D), keys and values (T, Hk, D), turned where they must be."""
    size = attn.config.head_dim
    q, k, v = (p(x).unflatten(-1, (-1, size)) for p in (attn.q_proj, attn.k_proj, attn.v_proj))
    return turn(q, cos, sin), turn(k, cos, sin), v


def layout_of(works: Sequence[Work], blocks: BlockManager, device: torch.device) -> Layout:
    """Where the tokens of works stand; those with one token are to come first.

    A table has all tokens up to the last one of its work, or fewer where some have been dropped; positions are those in the text.
    """
    tables = [blocks.tables[work.sequence.id].blocks for work in works]
    held = [blocks.tables[work.sequence.id].length for work in works]
    longest = max(map(len, tables))
    positions = [p for work in works for p in range(work.start, work.start + work.count)]
    slots = [s for w, n in zip(works, held, strict=True) for s in blocks.slots(w.sequence.id, n - w.count, n)]
    starts = [0]
    for work in works:
        starts.append(starts[-1] + work.count)
    decodes = sum(work.count == 1 for work in works)
    pieces = list(zip(starts, works, held, strict=False))[decodes:]
    return Layout(
        positions=torch.tensor(positions, device=device),
        slots=torch.tensor(slots, device=device),
        tables=torch.tensor([t + [0] * (longest - len(t)) for t in tables], dtype=torch.int32, device=device),
        contexts=torch.tensor(held, dtype=torch.int32, device=device),
        starts=torch.tensor(starts, dtype=torch.int32, device=device),
        decodes=decodes,
        pieces=tuple((first, work.count, n) for first, work, n in pieces),
    )


class Steps(Protocol):
    """What computes an engine's steps; `forks` says whether a sequence may split off from another one, and take its last tokens back."""

    model: GPT
    forks: bool

    def run(self, batch: Batch, blocks: BlockManager) -> dict[int, Tensor]:
        """Logits (vocabulary,) by sequence, of those whose next token can be drawn; with drafted tokens (1 + drafted, vocabulary)."""


class Runner:
    """A model with a paged cache. `attention` defaults to plain torch."""

    forks = True

    def __init__(self, model: GPT, cache: PagedCache, attention: PagedAttention | None = None) -> None:
        self.model, self.cache = model.eval(), cache
        self.attention = attention or TorchAttention()

    def layout(self, works: Sequence[Work], blocks: BlockManager) -> Layout:
        """Where the tokens of a step stand."""
        return layout_of(works, blocks, self.cache.device)

    @torch.inference_mode()
    def run(self, batch: Batch, blocks: BlockManager) -> dict[int, Tensor]:
        """Makes a batch's copies and computes it. Logits as `Steps.run` says."""
        self.cache.move(batch)
        works = sorted(batch.works, key=lambda work: work.count > 1)
        if not works:
            return {}
        layout = self.layout(works, blocks)
        tokens = [token for work in works for token in work.tokens]
        x = forward(self.model, torch.tensor(tokens, device=self.cache.device), layout, self.cache, self.attention)
        ends = zip(accumulate(work.count for work in works), works, strict=True)
        rows = [row for end, work in ends if work.draws for row in range(end - 1 - len(work.drafted), end)]
        left = iter(self.model.head(self.model.norm(x[rows])))
        return {
            w.sequence.id: torch.stack(list(islice(left, 1 + len(w.drafted)))) if w.drafted else next(left)
            for w in works
            if w.draws
        }
