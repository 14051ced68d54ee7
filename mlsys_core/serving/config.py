"""What an engine is given: memory in blocks, how prefixes are found again, and the limits of a step.

Idea      The same engine runs with any of the three ways to find a prefix, so that they can be compared on one load.
Equation  tokens in memory = blocks · block_size
Paper     W. Kwon et al., "PagedAttention", SOSP 2023, section 7.2 (the size of a block: 16).
Cost      `blocks.kv_bytes` a token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.radix_blocks import RadixBlockManager
from mlsys_core.serving.scheduler import SchedulerConfig


@dataclass(frozen=True)
class EngineConfig:
    """Memory and limits of an engine.

    blocks, block_size  on the device, and the tokens in one
    swap_blocks         on the host
    prefix_cache        how a beginning that was computed before is found
    decode_sizes        batches that are recorded as CUDA graphs (`graph_runner`); none for steps of any size
    compiled            whether torch compiles the recorded steps
    """

    blocks: int = 256
    block_size: int = 16
    swap_blocks: int = 0
    prefix_cache: Literal["hash", "radix", "none"] = "hash"
    decode_sizes: tuple[int, ...] = ()
    compiled: bool = False
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)

    def manager(self) -> BlockManager:
        """The block manager that this asks for."""
        if self.prefix_cache == "radix":
            return RadixBlockManager(self.blocks, self.block_size, swap_blocks=self.swap_blocks)
        share = self.prefix_cache == "hash"
        return BlockManager(self.blocks, self.block_size, swap_blocks=self.swap_blocks, share=share)
