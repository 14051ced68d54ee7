"""StreamingLLM in the engine's blocks: keys are stored as they come, and turned by their places in the cache when they are read.

Idea      A token's place changes whenever one before it is dropped, so no key can be stored turned. All heads and layers keep the same
          tokens, the first and the newest, in order; the n-th slot of a table is place n.
Equation  k_n = rope(k_n as it came, n),  q = rope(q as it came, its place among the kept and the new ones)
Paper     G. Xiao et al., "Efficient streaming language models with attention sinks", ICLR 2024, section 3.2.
Cost      A copy of the batch's blocks a layer, turned, beside the one that `TorchAttention` makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mlsys_core.compression.kv.paged import DroppingRunner
from mlsys_core.compression.kv.streaming import StreamingLLM
from mlsys_core.serving.attention import Layout, TorchAttention
from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.cache import PagedCache
from mlsys_core.serving.scheduler import Work
from mlsys_core.workloads.gpt import GPT, rope


class StreamingRunner(DroppingRunner):
    """A runner whose sequences keep their first tokens and their newest ones."""

    def __init__(self, model: GPT, cache: PagedCache, policy: StreamingLLM) -> None:
        super().__init__(model, cache, PlaceAttention(model.config.rope_theta))
        self.policy = policy

    def layout(self, works: Sequence[Work], blocks: BlockManager) -> Layout:
        """Every token stands at position 0, where nothing is turned."""
        found = super().layout(works, blocks)
        return replace(found, positions=torch.zeros_like(found.positions))

    def cut(self, works: Sequence[Work], blocks: BlockManager) -> None:
        """Drops the same tokens in every layer and head."""
        layers, _, _, heads, _ = self.cache.keys.shape
        for work in works:
            held = blocks.tables[work.sequence.id].length
            if held > self.policy.budget:
                places = torch.arange(held, device=self.cache.device)
                kept = places[(places < self.policy.sinks) | (places >= held - self.policy.recent)]
                self.keep(work.sequence.id, kept.expand(layers, heads, -1), blocks)


class PlaceAttention(TorchAttention):
    """Torch's attention, which turns queries and keys by their places in the cache when it reads them."""

    def __init__(self, theta: float) -> None:
        self.theta = theta

    def attend(self, q: Tensor, keys: Tensor, values: Tensor, layout: Layout) -> Tensor:
        """q (T, H, D) -> (T, H, D). The blocks are copied, with their keys turned, and read by tables of the copies."""
        counts = layout.starts.diff()
        first = layout.contexts - counts - layout.starts[:-1]
        places = torch.arange(len(q), device=q.device) + first.repeat_interleave(counts)
        turned = rope(q.transpose(0, 1), places, self.theta).transpose(0, 1)
        tables = layout.tables.long()
        k, v = keys[tables], values[tables]  # (B, M, s, Hk, D)
        slots = torch.arange(tables.shape[1] * keys.shape[1], device=q.device)
        k = rope(k.flatten(1, 2).transpose(1, 2), slots, self.theta)
        k = k.transpose(1, 2).reshape(v.shape).flatten(0, 1)
        own = torch.arange(len(k), dtype=torch.int32, device=q.device).view(tables.shape)
        return super().attend(turned, k, v.flatten(0, 1), replace(layout, tables=own))
