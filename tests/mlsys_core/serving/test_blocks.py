"""No block is lost, shared while it is written, or read by one whom it does not belong to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.serving.blocks import BlockManager, kv_bytes
from mlsys_core.serving.pool import BlockPool, NoBlocksError, block_key
from mlsys_core.serving.radix_blocks import RadixBlockManager
from mlsys_core.workloads.gpt import GPTConfig
from tests.mlsys_core.serving.block_machine import BlockMachine


class Hashed(BlockMachine):
    """Beginnings are found by hash."""

    def make(self, blocks, size, host):
        return BlockManager(blocks, size, swap_blocks=host)


class Private(BlockMachine):
    """No beginning is shared but by forks."""

    def make(self, blocks, size, host):
        return BlockManager(blocks, size, swap_blocks=host, share=False)


TestHashed, TestPrivate = Hashed.TestCase, Private.TestCase
TestHashed.settings = settings(deadline=None, max_examples=25, stateful_step_count=25)
TestPrivate.settings = settings(deadline=None, max_examples=12, stateful_step_count=25)


def test_a_prompt_that_was_computed_before_is_found_in_whole_blocks_but_for_its_last_token():
    manager = BlockManager(8, 4)
    manager.allocate(1, range(8))
    manager.append(1, 8)
    assert manager.cached(range(8)) == 0, "it is not computed yet"
    manager.commit(1, range(8))
    assert [manager.cached(range(n)) for n in (4, 5, 8, 9, 12)] == [0, 4, 4, 8, 8]
    assert manager.cached([0, 1, 2, 9, 4, 5, 6, 7, 8]) == 0
    manager.release(1)
    assert manager.available == 8
    assert manager.allocate(2, range(9)) == 8, "freed blocks are found as long as nobody has taken them"
    assert manager.hit_rate == 8 / 17


def test_blocks_freed_longest_ago_are_overwritten_first_and_the_end_of_a_text_before_its_beginning():
    manager = BlockManager(4, 2)
    for sequence, tokens in ((1, [1, 1, 1, 1]), (2, [2, 2, 2, 2])):
        manager.allocate(sequence, tokens)
        manager.append(sequence, 4)
        manager.commit(sequence, tokens)
    manager.release(1)
    manager.release(2)
    manager.allocate(3, [3, 3])
    manager.append(3, 2)
    assert manager.cached([1, 1, 1, 1, 0]) == 2
    assert manager.cached([2, 2, 2, 2, 0]) == 4


def test_the_key_of_a_block_says_all_tokens_before_it():
    first = block_key(b"", [1, 2])
    assert block_key(first, [3]) != block_key(block_key(b"", [2, 1]), [3])
    assert block_key(first, [3]) == block_key(block_key(b"", [1, 2]), [3])


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 8))
def test_the_waste_of_a_sequence_is_less_than_a_block(tokens, size):
    manager = BlockManager(40, size)
    manager.allocate(0, range(tokens))
    manager.append(0, tokens)
    assert 0 <= len(manager.tables[0].blocks) * size - tokens < size


def test_shrinking_a_table_frees_the_blocks_behind_what_is_kept():
    manager = BlockManager(6, 4, share=False)
    manager.allocate(1, [0] * 18)
    manager.append(1, 18)
    first = list(manager.tables[1].blocks)
    manager.shrink(1, 9)
    assert manager.tables[1].blocks == first[:3]
    assert (manager.tables[1].length, manager.available) == (9, 3)
    manager.append(1, 4)
    assert manager.slots(1, 9, 13) == [*(4 * first[2] + i for i in (1, 2, 3)), 4 * manager.tables[1].blocks[3]]
    for wrong in (14, -1):
        with pytest.raises(ValueError, match="between the two"):
            manager.shrink(1, wrong)


@pytest.mark.parametrize("manager", [BlockManager(6, 4), RadixBlockManager(6, 4)])
def test_what_others_may_find_is_not_given_up(manager):
    manager.allocate(1, range(15))
    manager.append(1, 15)
    manager.commit(1, range(11))
    with pytest.raises(ValueError, match="others may find 8, so 7"):
        manager.shrink(1, 7)
    manager.shrink(1, 8)
    assert (manager.tables[1].length, len(manager.tables[1].blocks), manager.available) == (8, 2, 4)


def test_a_token_of_the_published_model_takes_the_bytes_that_its_paper_says():
    """OPT-13B: 40 layers of 40 heads, 128 wide, in 16 bits: 800 KB a token (Kwon et al. 2023, section 3)."""
    assert kv_bytes(1, 40, 40, 128) == 800 * 1024
    config = GPTConfig()
    assert kv_bytes(3, config.layers, config.kv_heads, config.head_dim, 4) == 3 * 2 * 2 * 2 * 16 * 4


def test_what_cannot_be_done_is_refused_in_a_sentence():
    pool = BlockPool(1)
    block = pool.take()
    with pytest.raises(NoBlocksError, match="in use"):
        pool.take()
    pool.drop(block)
    with pytest.raises(ValueError, match="free already"):
        pool.drop(block)
    with pytest.raises(ValueError, match="nothing to share"):
        pool.share(block)
    manager = BlockManager(4, 2, swap_blocks=2)
    manager.allocate(1, [1, 2, 3])
    manager.append(1, 3)
    for wrong in (lambda: manager.allocate(1, [1]), lambda: manager.fork(1, 1), lambda: manager.swap_in(1)):
        with pytest.raises(ValueError, match="Sequence 1"):
            wrong()
    manager.swap_out(1)
    for wrong in (lambda: manager.append(1, 1), lambda: manager.slots(1, 0, 1), lambda: manager.fork(1, 2)):
        with pytest.raises(ValueError, match="on the host"):
            wrong()
    with pytest.raises(ValueError, match="at least one"):
        BlockManager(0, 2)
