"""KIVI in blocks: the engine's tables name blocks of codes, and only the newest tokens of a sequence lie outside of them, whole.

Idea      A block of as many tokens as the window has is filled at once: each channel of its keys has whole groups in it. Values come
          token by token, a window later. So a block of codes is a fraction of a block of numbers, and all that the manager does with
          numbers of blocks (tables, admission, preemption) stays as it is.
Equation  block p // R holds keys of token p once N ≥ R (p // R + 1), and its values once N > p + R
Paper     Z. Liu et al., "KIVI", ICML 2024, section 3 and algorithm 1; W. Kwon et al., "PagedAttention", SOSP 2023, section 4.
Cost      `coded_bytes`; a step unpacks the blocks of each sequence once, one sequence after the other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlsys_core.compression.kv.cache import vector_bytes
from mlsys_core.compression.kv.groups import Groups, group_bits
from mlsys_core.compression.kv.kivi import KIVI, KIVIWindow
from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.runner import project, rotation
from mlsys_core.serving.scheduler import Batch
from mlsys_core.workloads.gpt import GPT, GPTConfig


def block_bytes(policy: KIVI, config: GPTConfig) -> int:
    """Bytes of a block's keys and values in codes, with scales and minima, all layers."""
    bits = group_bits(policy.bits, policy.group) + group_bits(policy.bits, policy.channels(config))
    return round(policy.residual * config.layers * config.kv_heads * config.head_dim * bits / 8)


def coded_bytes(policy: KIVI, config: GPTConfig, tokens: int, element: int = 4) -> int:
    """Bytes of a sequence of so many tokens between two steps: whole blocks, and the newest keys and values as they came."""
    whole = tokens % policy.residual + min(tokens, policy.residual)
    return -(-tokens // policy.residual) * block_bytes(policy, config) + vector_bytes(config, whole, element) // 2


class CodedBlocks:
    """Codes, scales and minima of `blocks` blocks in all layers; a block's number means the same in every layer.

    keys    packed (layers, blocks, Hk, D, R · bits / 8), scale and low (layers, blocks, Hk, D, R / group)
    values  packed (layers, blocks, R, Hk, D · bits / 8), scale and low (layers, blocks, R, Hk, D / channels)
    """

    def __init__(self, config: GPTConfig, blocks: int, policy: KIVI, device: torch.device | str = "cpu") -> None:
        self.policy, size, width, bits = policy, policy.residual, config.head_dim, policy.bits
        first = (config.layers, blocks)
        keys, values = (*first, config.kv_heads, width), (*first, size, config.kv_heads)
        self.keys = _empty(keys, size * bits // 8, size // policy.group, bits, device)
        self.values = _empty(values, width * bits // 8, width // policy.channels(config), bits, device)

    @property
    def nbytes(self) -> int:
        """Bytes of all blocks."""
        return sum(int(tensor.nbytes) for groups in (self.keys, self.values) for tensor in groups.tensors)


def _empty(shape: tuple[int, ...], packed: int, groups: int, bits: int, device: torch.device | str) -> Groups:
    scale, low = torch.zeros(2, *shape, groups, dtype=torch.float16, device=device)
    return Groups(bits, torch.zeros(*shape, packed, dtype=torch.uint8, device=device), scale, low)


class BlockedKIVICache(KIVIWindow):
    """A layer's cache of one sequence: its newest tokens, and blocks of codes by the sequence's table."""

    def __init__(self, theta: float, pool: CodedBlocks, layer: int, table: list[int]) -> None:
        super().__init__(theta, pool.policy)
        self.pool, self.layer, self.table = pool, layer, table

    def stored(self) -> tuple[Tensor, Tensor]:
        """Keys and values (1, Hk, n, D) of all tokens, the older ones as their blocks give them back."""
        keys, values, size = self.keys, self.values, self.policy.residual
        old_keys, old_values = self.seen - keys.shape[2], self.seen - values.shape[2]
        if old_keys:
            found = self._blocks(self.pool.keys, old_keys // size).dequantized(keys.dtype)  # (m, Hk, D, R)
            keys = torch.cat((found.permute(1, 0, 3, 2).flatten(1, 2)[None], keys), 2)
        if old_values:
            found = self._blocks(self.pool.values, -(-old_values // size)).dequantized(values.dtype)  # (m, R, Hk, D)
            values = torch.cat((found.flatten(0, 1)[:old_values].transpose(0, 1)[None], values), 2)
        return keys, values

    def keep_keys(self, groups: Groups) -> None:
        """Whole blocks, behind those that are kept."""
        first = (self.seen - self.keys.shape[2]) // self.policy.residual
        count = self.keys.shape[2] // self.policy.residual
        table = self.table[first : first + count]
        for kept, new in zip(self.pool.keys.tensors, groups.tensors, strict=True):
            kept[self.layer, table] = new[0].unflatten(-1, (count, -1)).permute(2, 0, 1, 3)

    def keep_values(self, groups: Groups) -> None:
        """Token by token, behind those that are kept."""
        first, size = self.seen - self.values.shape[2], self.policy.residual
        places = range(first, first + groups.packed.shape[2])
        rows, columns = [self.table[p // size] for p in places], [p % size for p in places]
        for kept, new in zip(self.pool.values.tensors, groups.tensors, strict=True):
            kept[self.layer, rows, columns] = new[0].transpose(0, 1)

    def _blocks(self, kept: Groups, count: int) -> Groups:
        return Groups(kept.bits, *(tensor[self.layer, self.table[:count]] for tensor in kept.tensors))


class CodedRunner:
    """A model with a cache of codes. What treats each token alone runs for the whole batch, attention for one sequence after the other."""

    forks = False

    def __init__(self, model: GPT, pool: CodedBlocks) -> None:
        self.model, self.pool = model.eval(), pool
        self.caches: dict[int, list[BlockedKIVICache]] = {}

    @property
    def window_bytes(self) -> int:
        """Bytes of the newest tokens of all sequences."""
        return sum(cache.nbytes for caches in self.caches.values() for cache in caches)

    @torch.inference_mode()
    def run(self, batch: Batch, blocks: BlockManager) -> dict[int, Tensor]:
        """Logits (vocabulary,) by sequence, of those whose next token can be drawn."""
        model, works = self.model, batch.works
        self._open(batch, blocks)
        if not works:
            return {}
        counts = [work.count for work in works]
        tokens = [t for w in works for t in w.sequence.tokens[w.start : w.start + w.count]]
        x = model.embed(torch.tensor(tokens, device=model.head.weight.device))
        unmoved = rotation(
            torch.zeros(len(x), device=x.device), model.config.head_dim, model.config.rope_theta, x.dtype
        )
        for i, block in enumerate(model.blocks):
            parts = (part.split(counts) for part in project(block.attn, block.attn_norm(x), *unmoved))
            caches = [self.caches[work.sequence.id][i] for work in works]
            read = [_read(cache, *one) for cache, *one in zip(caches, *parts, strict=True)]
            x = x + block.attn.o_proj(torch.cat(read).flatten(1))
            x = x + block.ffn(block.ffn_norm(x))
        ends = torch.tensor(counts, device=x.device).cumsum(0) - 1
        drawn = [i for i, work in enumerate(works) if work.draws]
        logits = model.head(model.norm(x[ends[drawn]]))
        return {works[i].sequence.id: row for i, row in zip(drawn, logits, strict=True)}

    def _open(self, batch: Batch, blocks: BlockManager) -> None:
        """Empty caches for those that begin; those that have ended go."""
        self.caches = {number: caches for number, caches in self.caches.items() if number in blocks.tables}
        theta = self.model.config.rope_theta
        for work in batch.works:
            number = work.sequence.id
            if work.start == 0:
                table, layers = blocks.tables[number].blocks, range(self.model.config.layers)
                self.caches[number] = [BlockedKIVICache(theta, self.pool, layer, table) for layer in layers]


def _read(cache: BlockedKIVICache, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """New tokens of one sequence, (T, heads, D) each, not turned, -> what they read (T, H, D)."""
    q, k, v = (x.transpose(0, 1)[None] for x in (q, k, v))
    cache.update(k, v)
    return cache.attend(q)[0].transpose(0, 1)
