"""The memory behind the blocks: keys and values of all layers, on the device and on the host.

Idea      One tensor a kind holds every layer's blocks, so a block's number means the same in all layers, and a copy of a block is one
          indexed copy. Which block is whose is the manager's business (`blocks`).
Equation  keys[layer, block, place, head] of the token whose slot is block · s + place
Paper     W. Kwon et al., "Efficient memory management for large language model serving with PagedAttention", SOSP 2023, section 4.
Cost      2 · layers · blocks · s · kv_heads · head_dim elements (`blocks.kv_bytes`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlsys_core.serving.blocks import Pairs
from mlsys_core.serving.scheduler import Batch
from mlsys_core.workloads.gpt import GPTConfig


class PagedCache:
    """Keys and values (layers, blocks, block_size, kv_heads, head_dim), and as many of `swap_blocks` on the host.

    One block more than asked for is there for what nobody reads: the filling of a batch of fixed size.
    """

    def __init__(
        self,
        config: GPTConfig,
        blocks: int,
        block_size: int,
        *,
        swap_blocks: int = 0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        tail = (block_size, config.kv_heads, config.head_dim)
        self.block_size, self.spare = block_size, blocks
        # Zeros and no leftovers: a place that is masked out is multiplied by 0, which makes no number of a NaN.
        self.keys, self.values = torch.zeros(2, config.layers, blocks + 1, *tail, dtype=dtype, device=device)
        pinned = torch.device(device).type == "cuda" and swap_blocks > 0
        host = torch.zeros(2, config.layers, swap_blocks, *tail, dtype=dtype, pin_memory=pinned)
        self.host_keys, self.host_values = host

    def layer(self, i: int) -> tuple[Tensor, Tensor]:
        """Keys and values (blocks, block_size, kv_heads, head_dim) of one layer; writing to them writes to the cache."""
        return self.keys[i], self.values[i]

    @property
    def device(self) -> torch.device:
        """Where the blocks are."""
        return self.keys.device

    @property
    def nbytes(self) -> int:
        """Bytes on the device."""
        return int(self.keys.nbytes + self.values.nbytes)

    def move(self, batch: Batch) -> None:
        """Makes a step's copies in the order that the manager counts on."""
        self.swap_out(batch.swap_out)
        self.swap_in(batch.swap_in)
        self.copy(batch.copies)

    def swap_out(self, pairs: Pairs) -> None:
        """Copies blocks (device, host) to the host."""
        _copy(pairs, (self.keys, self.values), (self.host_keys, self.host_values))

    def swap_in(self, pairs: Pairs) -> None:
        """Copies blocks (host, device) to the device."""
        _copy(pairs, (self.host_keys, self.host_values), (self.keys, self.values))

    def copy(self, pairs: Pairs) -> None:
        """Copies blocks (from, to) on the device."""
        _copy(pairs, (self.keys, self.values), (self.keys, self.values))


def _copy(pairs: Pairs, sources: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor]) -> None:
    """All that is read is read before anything is written."""
    if not pairs:
        return
    read, write = (list(blocks) for blocks in zip(*pairs, strict=True))
    for source, target in zip(sources, targets, strict=True):
        target[:, write] = source[:, read].to(target.device)
