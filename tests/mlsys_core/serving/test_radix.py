"""The tree finds, keeps and gives up what a trie with one page a node does, looked at page by page."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.order import ORDERS, best_hit_rate
from mlsys_core.serving.radix import RadixCache
from mlsys_core.serving.radix_blocks import RadixBlockManager
from mlsys_core.serving.sequence import Sequence
from tests.mlsys_core.serving.block_machine import BlockMachine

TEXTS = st.lists(st.integers(0, 1), max_size=12)


class AgainstTrie(RuleBasedStateMachine):
    """The oracle: a dict from each stored prefix, in whole pages, to its page and the time of its last use."""

    @initialize(size=st.integers(1, 3))
    def begin(self, size):
        self.cache, self.size = RadixCache(size), size
        self.trie, self.locks, self.clock, self.number = {}, [], 0, 0

    def prefixes(self, tokens):
        return [tuple(tokens[:end]) for end in range(self.size, len(tokens) + 1, self.size)]

    def stored(self, tokens):
        found = []
        for prefix in self.prefixes(tokens):
            if prefix not in self.trie:
                break
            found.append(prefix)
        return found

    def use(self, tokens):
        self.clock += 1
        for prefix in self.stored(tokens):
            self.trie[prefix] = (self.trie[prefix][0], self.clock)

    def held(self):
        return {prefix for path, _ in self.locks for prefix in path}

    @rule(tokens=TEXTS)
    def peek(self, tokens):
        assert self.cache.peek(tokens) == [self.trie[prefix][0] for prefix in self.stored(tokens)]

    @rule(tokens=TEXTS, lock=st.booleans())
    def match(self, tokens, lock):
        pages, node = self.cache.match_prefix(tokens)
        self.use(tokens)
        assert pages == [self.trie[prefix][0] for prefix in self.stored(tokens)]
        if lock:
            self.cache.lock(node)
            self.locks.append((self.stored(tokens), node))

    @rule(tokens=TEXTS)
    def insert(self, tokens):
        whole = len(tokens) // self.size
        pages = list(range(self.number, self.number + whole))
        self.number += whole
        stored = [self.trie[prefix][0] for prefix in self.stored(tokens)]
        assert self.cache.insert(tokens[: whole * self.size], pages)[0] == stored
        for prefix, page in list(zip(self.prefixes(tokens), pages, strict=True))[len(stored) :]:
            self.trie[prefix] = (page, 0)
        self.use(tokens)

    @precondition(lambda self: self.locks)
    @rule(data=st.data())
    def unlock(self, data):
        _, node = self.locks.pop(data.draw(st.integers(0, len(self.locks) - 1)))
        self.cache.unlock(node)

    @rule(count=st.integers(1, 5))
    def evict(self, count):
        expected = []
        for _ in range(count):
            leaves = [
                prefix
                for prefix in set(self.trie) - self.held()
                if not any(len(other) > len(prefix) and other[: len(prefix)] == prefix for other in self.trie)
            ]
            if not leaves:
                break
            oldest = min(leaves, key=lambda prefix: self.trie[prefix][1])
            expected.append(self.trie.pop(oldest)[0])
        assert self.cache.evict(count) == expected

    @invariant()
    def its_counts_are_those_of_the_trie(self):
        assert self.cache.size == len(self.trie)
        assert self.cache.evictable == len(set(self.trie) - self.held())


class RadixBlocks(BlockMachine):
    """The block machine with beginnings found in a tree, which refers to each block that it stores."""

    def make(self, blocks, size, host):
        return RadixBlockManager(blocks, size, swap_blocks=host)

    def cached_blocks(self):
        return Counter(page for node in self.manager.tree._nodes() for page in node.pages)

    @invariant()
    def what_no_sequence_has_can_be_given_up(self):
        alone = [b for b in self.cached_blocks() if self.manager.device.refs(b) == 1]
        assert self.manager.tree.evictable == len(alone)
        assert set(self.cached_blocks().values()) <= {1}


TestAgainstTrie, TestRadixBlocks = AgainstTrie.TestCase, RadixBlocks.TestCase
TestAgainstTrie.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
TestRadixBlocks.settings = settings(deadline=None, max_examples=25, stateful_step_count=25)


def hit_rate(prompts, order, blocks, size):
    """Serves prompts one after the other, each time the first in this order of those that are left."""
    manager = RadixBlockManager(blocks, size)
    waiting = [Sequence(i, list(prompt), len(prompt), arrival=i) for i, prompt in enumerate(prompts)]
    while waiting:
        sequence = ORDERS[order](waiting, manager)[0]
        waiting.remove(sequence)
        cached = manager.allocate(sequence.id, sequence.tokens)
        manager.append(sequence.id, len(sequence.tokens) - cached)
        manager.commit(sequence.id, sequence.tokens)
        manager.release(sequence.id)
    return manager.hit_rate


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9), min_size=1, max_size=9), st.integers(1, 3))
def test_depth_first_reaches_the_best_hit_rate_as_soon_as_the_longest_prompt_fits(prompts, size):
    blocks = max(-(-len(prompt) // size) for prompt in prompts)
    assert hit_rate(prompts, "depth-first", blocks, size) == pytest.approx(best_hit_rate(prompts, size))


def test_the_best_hit_rate_is_that_of_a_cache_without_limit():
    prompts = [[1, 1, 2, 2, 3], [1, 1, 2, 2, 4], [1, 1, 5], [6, 6, 6]]
    assert hit_rate(prompts, "fcfs", 100, 2) == best_hit_rate(prompts, 2) == 6 / 16


def test_a_cache_aware_order_keeps_together_those_who_share():
    """Twelve conversations of three turns take turns; the cache holds little more than one."""
    turns = [[c] * 8 + list(range(t * 8)) + [c, t] for t in range(3) for c in range(12)]
    rates = {order: hit_rate(turns, order, 10, 4) for order in ORDERS}
    best = best_hit_rate(turns, 4)
    assert rates["fcfs"] < 0.1 < 0.9 * best <= rates["longest-prefix"] <= rates["depth-first"] == best


def test_a_prefix_needs_whole_pages_and_its_lock_just_once():
    cache = RadixCache(4)
    with pytest.raises(ValueError, match="whole pages"):
        cache.insert([1, 2, 3], [0])
    _, node = cache.insert([1, 2, 3, 4], [0])
    with pytest.raises(ValueError, match="unlocked"):
        cache.unlock(node)
    with pytest.raises(ValueError, match="at least 1"):
        RadixCache(0)


def test_hash_and_tree_find_the_same_beginnings():
    hashed, tree = BlockManager(32, 2), RadixBlockManager(32, 2)
    texts = [[1, 2, 3, 4, 5], [1, 2, 3, 4, 6, 7, 8], [1, 2, 9], [3, 4, 5, 6], [1, 2, 3, 4, 6, 7, 9]]
    for number, text in enumerate(texts):
        cached = [manager.allocate(number, text) for manager in (hashed, tree)]
        for manager in (hashed, tree):
            manager.append(number, len(text) - cached[0])
            manager.commit(number, text)
        assert cached[0] == cached[1]
