"""Who holds which positions, and what that leaves each rank to compute."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.parallelism.sequence import contiguous, ring_attention_cost, zigzag

PLACES = {"in order": contiguous, "zigzag": zigzag}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@settings(max_examples=25, deadline=None)
@given(ranks=st.integers(1, 9), more=st.integers(0, 40))
def test_every_position_is_held_once_and_parts_restore_the_whole(place, ranks, more):
    length = 2 * ranks + more
    placement = place(length, ranks)
    held = torch.cat([placement.positions(rank) for rank in range(ranks)])
    assert held.sort().values.tolist() == list(range(length))
    assert placement.length == length
    assert max(placement.sizes) - min(placement.sizes) <= 2
    x = torch.arange(3 * length).view(3, length, 1)
    assert torch.equal(placement.restore([placement.take(x, rank) for rank in range(ranks)]), x)


def test_zigzag_gives_each_rank_an_early_and_a_late_stretch():
    assert contiguous(8, 2).chunks == ((range(4),), (range(4, 8),))
    assert zigzag(8, 2).chunks == ((range(2), range(6, 8)), (range(2, 4), range(4, 6)))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@settings(max_examples=15, deadline=None)
@given(ranks=st.integers(1, 6), more=st.integers(0, 20))
def test_pairs_cover_what_the_mask_allows_and_skip_what_it_wholly_hides(place, ranks, more):
    """Brute force over all pairs of positions: a pair of chunks is computed if and only if some score in it counts."""
    placement = place(2 * ranks + more, ranks)
    for rank in range(ranks):
        for source in range(ranks):
            allowed = placement.positions(rank)[:, None] >= placement.positions(source)
            covered = torch.zeros_like(allowed)
            for pair in placement.pairs(rank, source, causal=True):
                block = allowed[pair.queries, pair.keys]
                assert torch.equal(block, torch.ones_like(block).tril() if pair.diagonal else torch.ones_like(block))
                covered[pair.queries, pair.keys] |= block
            assert torch.equal(covered, allowed)
            everything = placement.pairs(rank, source, causal=False)
            assert sum(pair.area for pair in everything) == allowed.numel()
            assert not any(pair.diagonal for pair in everything)


@pytest.mark.parametrize("ranks", [2, 3, 4, 8, 16])
def test_in_order_the_last_rank_does_p_times_the_first_ones_work_and_by_zigzag_all_do_the_same(ranks):
    length, block = 12 * ranks, 4 * 2 * 6 * 8 * 12 * 12  # FLOPs of a full block of (B, H, D) = (2, 6, 8)
    plain = ring_attention_cost(contiguous(length, ranks), (2, 6, 8), 2)
    even = ring_attention_cost(zigzag(length, ranks), (2, 6, 8), 2)
    assert plain.forward_flops == tuple((rank + 1) * block for rank in range(ranks))
    assert even.forward_flops == ((2 * ranks + 1) * block // 4,) * ranks
    assert plain.imbalance == pytest.approx(2 * ranks / (ranks + 1))
    assert even.imbalance == 1.0
    assert max(plain.forward_flops) / max(even.forward_flops) == pytest.approx(4 * ranks / (2 * ranks + 1))


def test_without_a_mask_all_ranks_do_the_same_in_any_order():
    for place in PLACES.values():
        cost = ring_attention_cost(place(24, 4), (1, 2, 4), 2, causal=False)
        assert set(cost.forward_flops) == {4 * 2 * 4 * 24 * 6}
        assert cost.imbalance == 1.0


def test_too_few_positions_are_told():
    with pytest.raises(ValueError, match="3 positions cannot be cut into 4 stretches"):
        contiguous(3, 4)
    with pytest.raises(ValueError, match="7 positions cannot be cut into 8 stretches"):
        zigzag(7, 4)
