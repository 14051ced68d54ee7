"""A manager of blocks under random use, beside a memory in which each slot says which tokens it was computed from."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

TOKENS = st.lists(st.integers(0, 1), min_size=1, max_size=9)


class Memory:
    """Contents of all slots, on the device and on the host; what an engine would copy and write, in the same order."""

    def __init__(self, manager):
        self.manager, self.size = manager, manager.block_size
        self.device = [None] * (manager.device.size * self.size)
        self.host = [None] * (manager.host.size * self.size)

    def copy(self, pairs, source, target):
        read = [source[a * self.size : (a + 1) * self.size] for a, _ in pairs]
        for (_, b), contents in zip(pairs, read, strict=True):
            target[b * self.size : (b + 1) * self.size] = contents

    def write(self, sequence, tokens, start, stop):
        for position, slot in zip(range(start, stop), self.manager.slots(sequence, start, stop), strict=True):
            self.device[slot] = tuple(tokens[: position + 1])

    def read(self, sequence, stop):
        return [self.device[slot] for slot in self.manager.slots(sequence, 0, stop)]


class BlockMachine(RuleBasedStateMachine):
    """Sequences come, grow, fork, move to the host and back, and go."""

    def make(self, blocks, size, host):
        raise NotImplementedError

    @initialize(blocks=st.integers(3, 9), size=st.integers(1, 3), host=st.integers(0, 8))
    def begin(self, blocks, size, host):
        self.manager = self.make(blocks, size, host)
        self.memory = Memory(self.manager)
        self.tokens, self.number = {}, 0

    def here(self):
        return [s for s in self.tokens if not self.manager.tables[s].swapped]

    @rule(tokens=TOKENS)
    def arrive(self, tokens):
        if not self.manager.fits(tokens):
            return
        before, expected = self.manager.available, self.manager.cached(tokens)
        self.number += 1
        cached = self.manager.allocate(self.number, tokens)
        assert cached == expected < len(tokens)
        self.tokens[self.number] = tokens[:cached]
        assert self.memory.read(self.number, cached) == [tuple(tokens[: i + 1]) for i in range(cached)]
        self.append(self.number, tokens[cached:])
        assert before - self.manager.available <= -(-len(tokens) // self.manager.block_size)

    def append(self, sequence, more):
        needed, available = self.manager.needed(sequence, len(more)), self.manager.available
        copies = self.manager.append(sequence, len(more))
        assert available - self.manager.available == needed
        self.memory.copy(copies, self.memory.device, self.memory.device)
        tokens = self.tokens[sequence]
        start = len(tokens)
        tokens += more
        written = {slot // self.manager.block_size for slot in self.manager.slots(sequence, start, len(tokens))}
        assert all(self.manager.device.refs(block) == 1 for block in written), "nobody writes what another one reads"
        self.memory.write(sequence, tokens, start, len(tokens))
        self.manager.commit(sequence, tokens)

    @precondition(lambda self: self.here())
    @rule(data=st.data(), more=TOKENS)
    def grow(self, data, more):
        sequence = data.draw(st.sampled_from(self.here()))
        if self.manager.needed(sequence, len(more)) <= self.manager.available:
            self.append(sequence, more)

    @precondition(lambda self: self.here())
    @rule(data=st.data(), more=TOKENS, said=st.booleans())
    def try_out(self, data, more, said):
        """Tokens are computed, and only the first of them kept, before anybody else may find them."""
        sequence = data.draw(st.sampled_from(self.here()))
        if self.manager.needed(sequence, len(more)) > self.manager.available:
            return
        tokens, available = self.tokens[sequence], self.manager.available
        copies = self.manager.append(sequence, len(more))
        self.memory.copy(copies, self.memory.device, self.memory.device)
        self.memory.write(sequence, tokens + more, len(tokens), len(tokens) + len(more))
        kept = data.draw(st.integers(0, len(more)))
        tokens += more[:kept]
        self.manager.shrink(sequence, len(tokens))
        assert kept or available - self.manager.available == len(copies), "only the copy of a shared block is left"
        if said:
            self.manager.commit(sequence, tokens)

    @precondition(lambda self: self.here())
    @rule(data=st.data())
    def fork(self, data):
        sequence = data.draw(st.sampled_from(self.here()))
        self.number += 1
        self.manager.fork(sequence, self.number)
        self.tokens[self.number] = list(self.tokens[sequence])

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def leave(self, data):
        sequence = data.draw(st.sampled_from(sorted(self.tokens)))
        self.manager.release(sequence)
        del self.tokens[sequence]

    @precondition(lambda self: self.here())
    @rule(data=st.data())
    def move_out(self, data):
        sequence = data.draw(st.sampled_from(self.here()))
        if self.manager.can_swap_out(sequence):
            pairs = self.manager.swap_out(sequence)
            self.memory.copy(pairs, self.memory.device, self.memory.host)

    @precondition(lambda self: len(self.here()) < len(self.tokens))
    @rule(data=st.data())
    def move_in(self, data):
        sequence = data.draw(st.sampled_from(sorted(set(self.tokens) - set(self.here()))))
        if self.manager.needed(sequence, 0) <= self.manager.available:
            self.memory.copy(self.manager.swap_in(sequence), self.memory.host, self.memory.device)

    def cached_blocks(self):
        """Blocks that a cache refers to, once each."""
        return Counter()

    @invariant()
    def references_are_the_tables_that_name_a_block(self):
        for pool, swapped in ((self.manager.device, False), (self.manager.host, True)):
            named = Counter(b for t in self.manager.tables.values() if t.swapped is swapped for b in t.blocks)
            if not swapped:
                named += self.cached_blocks()
            assert {b: pool.refs(b) for b in range(pool.size) if pool.refs(b)} == dict(named)
            assert pool.free + len(named) == pool.size, "no block is lost and none is there twice"

    @invariant()
    def tables_hold_what_they_must_and_no_more(self):
        for table in self.manager.tables.values():
            assert len(table.blocks) == -(-table.length // self.manager.block_size)

    @invariant()
    def every_sequence_reads_what_was_computed_from_its_own_tokens(self):
        for sequence in self.here():
            tokens = self.tokens[sequence]
            assert self.manager.tables[sequence].length == len(tokens)
            assert self.memory.read(sequence, len(tokens)) == [tuple(tokens[: i + 1]) for i in range(len(tokens))]
