"""Block tables whose shared beginnings are found in a radix tree instead of by hash.

Idea      The tree is one more owner of each block that it stores. A sequence locks the path that it begins with, so what is not locked
          is held by the tree alone and can be given up, least recently used first, whenever the pool runs dry.
Equation  available = free + evictable;   a block in the tree without a lock has exactly one reference
Paper     L. Zheng et al., "SGLang: efficient execution of structured language model programs", NeurIPS 2024, section 3.
Cost      As `blocks`, and the tree's.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlsys_core.serving.blocks import BlockManager, Pairs
from mlsys_core.serving.radix import Node, RadixCache


class RadixBlockManager(BlockManager):
    """A block manager with a prefix tree; see `BlockManager` for what its methods promise."""

    def __init__(self, blocks: int, block_size: int, *, swap_blocks: int = 0) -> None:
        super().__init__(blocks, block_size, swap_blocks=swap_blocks)
        self.tree = RadixCache(block_size)
        self._ends: dict[int, Node] = {}  # the node that a sequence locks
        self._committed: dict[int, int] = {}  # its blocks that are in the tree

    @property
    def available(self) -> int:
        """Free blocks, and those that the tree can give up."""
        return self.device.free + self.tree.evictable

    def allocate(self, sequence: int, tokens: Sequence[int]) -> int:
        """Begins a table with the longest stored prefix and locks it."""
        blocks, node = self.tree.match_prefix(self._matchable(tokens))
        self.tree.lock(node)
        cached = super().allocate(sequence, tokens)
        self._ends[sequence], self._committed[sequence] = node, len(blocks)
        return cached

    def commit(self, sequence: int, tokens: Sequence[int]) -> None:
        """Puts a sequence's full blocks into the tree; where it has them already, the table takes the tree's."""
        table, full = self._on_device(sequence), len(tokens) // self.block_size
        if full <= self._committed.get(sequence, 0):
            return
        stored, node = self.tree.insert(tokens[: full * self.block_size], table.blocks[:full])
        self.tree.lock(node)
        for i, block in enumerate(stored):
            self._name(table, i, block)
        for block in table.blocks[len(stored) : full]:
            self.device.share(block)  # the tree's reference
        self._unlock(sequence)
        self._ends[sequence], self._committed[sequence] = node, full

    def fork(self, sequence: int, child: int) -> None:
        """The child locks what its parent does."""
        super().fork(sequence, child)
        if sequence in self._ends:
            self.tree.lock(self._ends[sequence])
            self._ends[child], self._committed[child] = self._ends[sequence], self._committed[sequence]

    def release(self, sequence: int) -> None:
        """What the sequence put into the tree stays there."""
        super().release(sequence)
        self._unlock(sequence)

    def swap_out(self, sequence: int) -> Pairs:
        """On the host a sequence locks nothing."""
        pairs = super().swap_out(sequence)
        self._unlock(sequence)
        return pairs

    def _unlock(self, sequence: int) -> None:
        end = self._ends.pop(sequence, None)
        self._committed.pop(sequence, None)
        if end is not None:
            self.tree.unlock(end)

    def _published(self, sequence: int) -> int:
        return self._committed.get(sequence, 0)

    def _take(self) -> int:
        if not self.device.free:
            for block in self.tree.evict(1):
                self.device.drop(block)
        return super()._take()

    def _idle(self, block: int) -> bool:
        return self.device.refs(block) == 1

    def _matchable(self, tokens: Sequence[int]) -> Sequence[int]:
        """All but the last token, whose logits are to be computed."""
        return tokens[: len(tokens) - 1]

    def _found(self, tokens: Sequence[int]) -> tuple[list[int], list[bytes]]:
        return self.tree.peek(self._matchable(tokens)), []
