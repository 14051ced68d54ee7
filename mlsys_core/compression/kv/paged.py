"""Policies in the engine's cache of blocks: what is kept moves together, and the blocks behind it are free for others.

Idea      A slot of a block has a place for each head of keys, and attention does not ask in which order keys lie. So when heads keep
          different tokens, but all as many, the n-th that each keeps goes to the n-th slot: blocks stay full, tables become shorter, and
          scheduler and attention see a shorter text. Keys are turned by their place in the text before they are stored, and move as they
          are (`paged_streaming` is the exception).
Equation  after a step, slot(n) ← slot(kept[layer, head, n]) for all n;   blocks of a sequence = ⌈kept tokens / s⌉
Paper     W. Kwon et al., "PagedAttention", SOSP 2023, section 4 (the blocks); those of the policies are named where they are defined.
Cost      `held_bytes` of whole blocks (`paged_bytes`); a cut moves all that a sequence keeps, about what a step reads of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mlsys_core.compression.kv.h2o import H2O
from mlsys_core.compression.kv.snapkv import SnapKV
from mlsys_core.compression.kv.streaming import StreamingLLM
from mlsys_core.serving.blocks import BlockManager, kv_bytes
from mlsys_core.serving.runner import Runner
from mlsys_core.serving.scheduler import Batch, Work
from mlsys_core.workloads.gpt import GPTConfig

SUM_BYTES = 4  # H2O's float32 for each token and head of keys


def paged_bytes(
    policy: StreamingLLM | H2O | SnapKV,
    config: GPTConfig,
    prompt: int,
    generated: int,
    *,
    block: int,
    element: int = 4,
) -> int:
    """Bytes of a sequence between two steps, in whole blocks of `block` tokens."""
    tokens = policy.tokens(prompt, generated)
    sums = SUM_BYTES * tokens * config.layers * config.kv_heads if isinstance(policy, H2O) else 0
    return kv_bytes(-(-tokens // block) * block, config.layers, config.kv_heads, config.head_dim, element) + sums


class DroppingRunner(Runner):
    """A runner that after a step keeps of each sequence what a policy says. Each block is one sequence's: no prefixes, no forks."""

    forks = False

    @torch.inference_mode()
    def run(self, batch: Batch, blocks: BlockManager) -> dict[int, Tensor]:
        """As `Runner.run`; then the policy cuts."""
        logits: dict[int, Tensor] = super().run(batch, blocks)
        self.cut(sorted(batch.works, key=lambda work: work.count > 1), blocks)
        return logits

    def cut(self, works: Sequence[Work], blocks: BlockManager) -> None:
        """Drops what is not to be kept of the sequences of a step, which come in the order of its layout."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it keeps: define cut.")

    def keep(self, sequence: int, kept: Tensor, blocks: BlockManager) -> None:
        """Brings a sequence's tokens `kept` (layers, Hk, m), rising, to its first slots, and gives up the blocks behind them."""
        held, stay = blocks.tables[sequence].length, kept.shape[-1]
        slots = torch.tensor(blocks.slots(sequence, 0, held), device=kept.device)
        for cache in (self.cache.keys, self.cache.values):
            flat = cache.flatten(1, 2)  # (layers, slots, Hk, D), a view
            source = slots[kept].transpose(1, 2)[..., None].expand(-1, -1, -1, flat.shape[-1])
            flat[:, slots[:stay]] = flat.gather(1, source)
        blocks.shrink(sequence, stay)
