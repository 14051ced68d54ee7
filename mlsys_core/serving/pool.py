"""A pool of equal blocks of memory: who holds one, which are free, and which still hold what somebody may want again.

Idea      A block is free when nobody refers to it, and not before. A free block keeps its contents until it is needed, so a block whose
          contents have a name (the hash of all tokens up to its end) can be found by that name and taken back: a free list that is also
          a cache. What was freed longest ago is taken first, and what has no name before that.
Equation  free + |{b : refs(b) > 0}| = size;   key(block i) = H(key(block i - 1), tokens of block i)
Paper     W. Kwon et al., "Efficient memory management for large language model serving with PagedAttention", SOSP 2023, section 4.
Cost      O(1) for each operation; the hash of a block reads its tokens once.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence


class NoBlocksError(Exception):
    """The pool has no free block. Whoever asks is to make sure first that there are enough."""


class BlockPool:
    """Blocks 0 … size - 1 with the number of references to each. `taken` counts how often a free block was given out."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0
        self._refs = [0] * size
        self._free: OrderedDict[int, None] = OrderedDict.fromkeys(range(size))
        self._named: dict[bytes, int] = {}
        self._name: dict[int, bytes] = {}

    @property
    def free(self) -> int:
        """Blocks that nobody refers to."""
        return len(self._free)

    def refs(self, block: int) -> int:
        """References to a block."""
        return self._refs[block]

    def take(self) -> int:
        """A free block with one reference; what it held is forgotten. Raises NoBlocksError where none is free."""
        if not self._free:
            raise NoBlocksError(f"All {self.size} blocks are in use: free one, or ask `free` before.")
        block, _ = self._free.popitem(last=False)
        self._forget(block)
        self._refs[block] = 1
        self.taken += 1
        return block

    def share(self, block: int) -> int:
        """One more reference to a block that is in use, or free and still named."""
        if not self._refs[block] and block not in self._name:
            raise ValueError(f"Block {block} is free and holds nothing to share: take one.")
        self._free.pop(block, None)
        self._refs[block] += 1
        return block

    def drop(self, block: int) -> None:
        """One reference less; the last one frees the block."""
        if not self._refs[block]:
            raise ValueError(f"Block {block} is free already: it was dropped more often than it was taken.")
        self._refs[block] -= 1
        if not self._refs[block]:
            self._free[block] = None
            if block not in self._name:
                self._free.move_to_end(block, last=False)

    def publish(self, block: int, key: bytes) -> int:
        """Names the contents of a block, for `find`. Returns the block that has this name, which is an earlier one if there is one."""
        holder = self._named.setdefault(key, block)
        if holder == block:
            self._name[block] = key
        return holder

    def find(self, key: bytes) -> int | None:
        """The block with contents of this name, in use or free; None where there is none."""
        return self._named.get(key)

    def _forget(self, block: int) -> None:
        key = self._name.pop(block, None)
        if key is not None:
            del self._named[key]


def block_key(before: bytes, tokens: Sequence[int]) -> bytes:
    """The name of a full block: of its tokens and, by the key of the block before (empty for the first), of all tokens before them."""
    return hashlib.blake2b(before + array("q", tokens).tobytes(), digest_size=16).digest()
