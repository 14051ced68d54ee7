"""Keys and values in blocks, as an operating system keeps pages: a sequence has a table, and a block may stand in many tables.

Idea      Reserving each sequence's longest possible length wastes most of the memory. In blocks of a few tokens, a sequence owns what it
          has written and at most one block that is not full. Sequences that begin alike name the same blocks. A block that several
          tables name is copied before one of them writes to it. Under pressure a sequence's blocks move to the host and come back.
Equation  slot of position p = table[p // s] · s + p mod s;   blocks of n tokens = ⌈n / s⌉;   waste < s tokens a sequence
Paper     W. Kwon et al., "Efficient memory management for large language model serving with PagedAttention", SOSP 2023, sections 4.2
          to 4.5.
Cost      `kv_bytes` for the memory; bookkeeping O(1) a token, O(blocks) for allocate, fork, free and swap.

The manager knows numbers of blocks and no memory. Its methods say which blocks are to be copied; `cache` copies them, in this order in a
step: out to the host, in from the host, from block to block, and then what the model writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlsys_core.serving.pool import BlockPool, block_key

Pairs = list[tuple[int, int]]  # from block, to block


def kv_bytes(tokens: int, layers: int, kv_heads: int, head_dim: int, element: int = 2) -> int:
    """Bytes of the keys and values of `tokens` tokens, with `element` bytes a number."""
    return 2 * tokens * layers * kv_heads * head_dim * element


@dataclass
class Table:
    """A sequence's blocks in order, how many tokens they hold, and the keys of those that are full and published."""

    blocks: list[int] = field(default_factory=list)
    length: int = 0
    keys: list[bytes] = field(default_factory=list)
    swapped: bool = False


class BlockManager:
    """Tables of sequences over a pool on the device and one on the host.

    blocks       on the device
    block_size   tokens in one
    swap_blocks  on the host
    share        whether a sequence may begin with blocks that another one has computed, found by their hash
    """

    def __init__(self, blocks: int, block_size: int, *, swap_blocks: int = 0, share: bool = True) -> None:
        if min(blocks, block_size) < 1:
            raise ValueError(f"{blocks} blocks of {block_size} tokens hold nothing: give at least one of each.")
        self.block_size, self.sharing = block_size, share
        self.device, self.host = BlockPool(blocks), BlockPool(swap_blocks)
        self.tables: dict[int, Table] = {}
        self.asked_tokens = self.hit_tokens = 0

    @property
    def available(self) -> int:
        """Blocks of the device that can be given out now."""
        return self.device.free

    @property
    def hit_rate(self) -> float:
        """The part of all allocated tokens that was there already."""
        return self.hit_tokens / max(1, self.asked_tokens)

    def cached(self, tokens: Sequence[int]) -> int:
        """How many of the first tokens are stored already: full blocks, and never the last token, whose logits are to be computed."""
        return len(self._found(tokens)[0]) * self.block_size

    def fits(self, tokens: Sequence[int]) -> bool:
        """Whether a new sequence of these tokens can be written now, from its first token to its last."""
        found, _ = self._found(tokens)
        revived = sum(self._idle(block) for block in found)
        return self._blocks_of(len(tokens)) - len(found) + revived <= self.available

    def allocate(self, sequence: int, tokens: Sequence[int]) -> int:
        """Begins a table with the blocks that are there already; returns how many tokens need not be computed."""
        if sequence in self.tables:
            raise ValueError(f"Sequence {sequence} has a table: release it before it gets another.")
        found, keys = self._found(tokens)
        blocks = [self.device.share(block) for block in found]
        self.tables[sequence] = Table(blocks, len(blocks) * self.block_size, keys)
        self.asked_tokens += len(tokens)
        self.hit_tokens += len(blocks) * self.block_size
        return len(blocks) * self.block_size

    def needed(self, sequence: int, count: int) -> int:
        """Free blocks that it takes to bring a sequence to the device, if it is not there, and to append `count` tokens."""
        table = self.tables[sequence]
        held = 0 if table.swapped else len(table.blocks)
        copied = count > 0 and not table.swapped and self._shared_end(table)
        return self._blocks_of(table.length + count) - held + int(copied)

    def append(self, sequence: int, count: int) -> Pairs:
        """Makes room for `count` more tokens. Returns the copy to make where the block that is written first is another's too."""
        table, copies = self._on_device(sequence), []
        if count > 0 and self._shared_end(table):
            old, new = table.blocks[-1], self._take()
            self.device.drop(old)
            table.blocks[-1] = new
            copies.append((old, new))
        table.length += count
        while len(table.blocks) < self._blocks_of(table.length):
            table.blocks.append(self._take())
        return copies

    def shrink(self, sequence: int, length: int) -> None:
        """Keeps the first `length` tokens that a table has room for and gives up the blocks behind them, the last one first.

        Raises ValueError where there are fewer, and where others may find what is to be given up.
        """
        table, found = self._on_device(sequence), self._published(sequence) * self.block_size
        if not found <= length <= table.length:
            raise ValueError(
                f"Sequence {sequence} has {table.length} tokens, of which others may find {found}, so {length} cannot be kept: "
                "keep a number between the two."
            )
        table.length = length
        while len(table.blocks) > self._blocks_of(length):
            self.device.drop(table.blocks.pop())

    def slots(self, sequence: int, start: int, stop: int) -> list[int]:
        """Where the tokens at positions start … stop - 1 are kept, counted over all blocks of the device."""
        blocks, size = self._on_device(sequence).blocks, self.block_size
        return [blocks[position // size] * size + position % size for position in range(start, stop)]

    def commit(self, sequence: int, tokens: Sequence[int]) -> None:
        """Says that these tokens, the sequence's first, have been computed; their full blocks can be found from now on.

        A block with the contents of one that has been published before is given back, and the table names that one.
        """
        if not self.sharing:
            return
        table, size = self._on_device(sequence), self.block_size
        for i in range(len(table.keys), len(tokens) // size):
            key = block_key(table.keys[-1] if table.keys else b"", tokens[i * size : (i + 1) * size])
            table.keys.append(key)
            self._name(table, i, self.device.publish(table.blocks[i], key))

    def fork(self, sequence: int, child: int) -> None:
        """A second sequence that begins with all that the first one has; they share every block until one of them writes."""
        table = self._on_device(sequence)
        if child in self.tables:
            raise ValueError(f"Sequence {child} has a table: a fork needs a new number.")
        for block in table.blocks:
            self.device.share(block)
        self.tables[child] = Table(list(table.blocks), table.length, list(table.keys))

    def release(self, sequence: int) -> None:
        """Gives up a sequence's table. The end goes first, so that the beginning, which others may want, is overwritten last."""
        table = self.tables.pop(sequence)
        pool = self.host if table.swapped else self.device
        for block in reversed(table.blocks):
            pool.drop(block)

    def can_swap_out(self, sequence: int) -> bool:
        """Whether the host has room for it."""
        return len(self.tables[sequence].blocks) <= self.host.free

    def swap_out(self, sequence: int) -> Pairs:
        """Moves a sequence to the host; returns the copies to make (device block, host block). What others share stays there too."""
        table = self._on_device(sequence)
        pairs = [(block, self.host.take()) for block in table.blocks]
        for block, _ in reversed(pairs):
            self.device.drop(block)
        table.blocks, table.swapped = [host for _, host in pairs], True
        return pairs

    def swap_in(self, sequence: int) -> Pairs:
        """Brings a sequence back; returns the copies to make (host block, device block). See `needed` for the room."""
        table = self.tables[sequence]
        if not table.swapped:
            raise ValueError(f"Sequence {sequence} is on the device: there is nothing to bring back.")
        pairs = [(block, self._take()) for block in table.blocks]
        for block, _ in pairs:
            self.host.drop(block)
        table.blocks, table.swapped = [device for _, device in pairs], False
        return pairs

    def _published(self, sequence: int) -> int:
        """How many of a sequence's first blocks can be found by what they hold."""
        return len(self.tables[sequence].keys)

    def _take(self) -> int:
        return self.device.take()

    def _idle(self, block: int) -> bool:
        """Whether a stored block counts as available as long as nobody begins with it."""
        return not self.device.refs(block)

    def _name(self, table: Table, i: int, block: int) -> None:
        """Block i of a table is to be this one, which holds the same tokens."""
        own = table.blocks[i]
        if block != own:
            table.blocks[i] = self.device.share(block)
            self.device.drop(own)

    def _blocks_of(self, tokens: int) -> int:
        return -(-tokens // self.block_size)

    def _shared_end(self, table: Table) -> bool:
        """Whether the next token goes into a block that another table names too."""
        return table.length % self.block_size > 0 and self.device.refs(table.blocks[-1]) > 1

    def _on_device(self, sequence: int) -> Table:
        table = self.tables[sequence]
        if table.swapped:
            raise ValueError(f"Sequence {sequence} is on the host: bring it back with swap_in first.")
        return table

    def _found(self, tokens: Sequence[int]) -> tuple[list[int], list[bytes]]:
        """The blocks that hold the first tokens already, with their keys."""
        blocks: list[int] = []
        keys: list[bytes] = []
        size = self.block_size
        for i in range((len(tokens) - 1) // size if self.sharing else 0):
            key = block_key(keys[-1] if keys else b"", tokens[i * size : (i + 1) * size])
            block = self.device.find(key)
            if block is None:
                break
            blocks.append(block)
            keys.append(key)
        return blocks, keys
