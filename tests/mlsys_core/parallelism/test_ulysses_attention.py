"""Ulysses is SDPA on the gathered tensors, by two all-to-alls of the formula's bytes."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.parallelism.sequence import (
    contiguous,
    ring_attention,
    ring_attention_cost,
    ulysses_attention,
    ulysses_cost,
    zigzag,
)
from mlsys_core.parallelism.sequence.ulysses import Heads
from tests.mlsys_core.parallelism.attention_cases import draw, gathered, shared


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "full"])
@pytest.mark.parametrize(
    ("ranks", "heads", "kv_heads"),
    [(1, 6, 2), (2, 6, 3), (3, 6, 1), (4, 8, 8), (4, 8, 2), (5, 10, 2), (6, 12, 4), (7, 7, 1), (8, 8, 4), (8, 16, 2)],
)
def test_output_gradients_and_bytes_are_those_of_the_whole_sequence(ranks, heads, kv_heads, causal, held):
    """Fewer heads of keys than ranks, more, and numbers that no rank boundary meets; no length divides evenly."""
    length = 3 * ranks + 2
    attend = ulysses_attention if causal else partial(ulysses_attention, attend=F.scaled_dot_product_attention)
    for placement in (contiguous(length, ranks), zigzag(length, ranks)):
        case = draw(heads, length, heads, kv_heads)
        found, sent, _ = shared(attend, case, placement)
        held("Ulysses attention", "SDPA on gathered tensors", found, gathered(case, causal), 1e-13)
        volume = ulysses_cost(placement, (2, heads, 4), kv_heads, element_size=8)
        assert sent == [volume.forward, volume.backward]


@pytest.mark.parametrize("ranks", [2, 4, 8, 16])
def test_a_rank_sends_4_nh_over_p_where_a_ring_sends_2_nh(ranks):
    """The paper's point: for equal heads of keys the volume a rank falls with p, that of keys in a ring does not."""
    length, heads, size = 4 * ranks, 16, 4
    numbers = length * heads * size
    placement = contiguous(length, ranks)
    ulysses = ulysses_cost(placement, (1, heads, size), heads, element_size=1).forward
    ring = ring_attention_cost(placement, (1, heads, size), heads, element_size=1).volume.forward
    assert ulysses / ranks == 4 * numbers * (ranks - 1) / ranks**2
    assert ring / ranks == 2 * numbers * (ranks - 1) / ranks


def test_two_messages_go_to_each_other_rank_in_a_forward_pass():
    ranks, case = 4, draw(0, 8, 4, 4)
    _, _, log = shared(ulysses_attention, case, contiguous(8, ranks))
    forward_and_backward = 2 * 2
    assert len(log.messages) == forward_and_backward * ranks * (ranks - 1)


@pytest.mark.parametrize(("heads", "kv_heads", "ranks"), [(12, 4, 6), (8, 2, 8), (6, 6, 3), (12, 3, 2)])
def test_each_head_meets_the_head_of_keys_that_it_would_meet_on_one_device(heads, kv_heads, ranks):
    share = Heads(heads, kv_heads, ranks)
    met = [share.keys(rank)[place] for rank in range(ranks) for place in share.key_of_query(rank)]
    assert met == torch.arange(kv_heads).repeat_interleave(heads // kv_heads).tolist()


def test_heads_that_cannot_be_shared_are_told():
    q, k, v, _ = draw(0, 8, 4, 2)
    placement = contiguous(8, 8)
    with pytest.raises(ValueError, match=r"4 heads cannot be shared evenly by 8 ranks: .*ring attention"):
        run_ranks(8, lambda comm: ulysses_attention(*(x[:, :, :1] for x in (q, k, v)), comm, placement))
    ring, _ = run_ranks(
        8, lambda comm: ring_attention(*(placement.take(x, comm.rank, 2) for x in (q, k, v)), comm, placement)
    )
    assert len(ring) == 8, "which has no such limit"
