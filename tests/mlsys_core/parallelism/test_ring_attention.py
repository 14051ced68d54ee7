"""Ring attention is SDPA on the gathered tensors; its bytes, work and time are those of the formulas."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mlsys_core.parallelism.communication import Fabric, run_ranks
from mlsys_core.parallelism.sequence import contiguous, hidden_length, ring_attention, ring_attention_cost, zigzag
from mlsys_core.parallelism.sequence.blocks import attend_block, by_group, merge, nothing_read
from tests.mlsys_core.parallelism.attention_cases import computing, draw, gathered, shared

PLACES = {"in order": contiguous, "zigzag": zigzag}


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "full"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 5, 6, 7, 8])
def test_output_gradients_and_bytes_are_those_of_the_whole_sequence(ranks, place, causal, held):
    """Heads share keys by 6, 3, 2 and 1; no length is a multiple of the number of ranks."""
    kv_heads, length = [1, 2, 3, 6][ranks % 4], 4 * ranks + 3
    case, placement = draw(ranks, length, 6, kv_heads), place(length, ranks)
    found, sent, _ = shared(partial(ring_attention, causal=causal), case, placement)
    held("ring attention", "SDPA on gathered tensors", found, gathered(case, causal), 1e-13)
    volume = ring_attention_cost(placement, (2, 6, 4), kv_heads, causal=causal, element_size=8).volume
    assert sent == [volume.forward, volume.backward]


@pytest.mark.parametrize("ranks", [2, 3, 8, 16])
def test_keys_travel_p_minus_1_times_and_come_back_with_their_gradients(ranks):
    """For equal parts: (p-1) messages of 2 B K (T/p) D numbers a rank forward, 2p - 1 backward."""
    case, placement = draw(0, 2 * ranks, 4, 2), zigzag(2 * ranks, ranks)
    _, sent, log = shared(ring_attention, case, placement)
    block = 2 * 2 * 2 * 2 * 4 * 8
    assert {message.size for message in log.messages} == {block}
    assert sent == [ranks * (ranks - 1) * block, ranks * (2 * ranks - 1) * block]
    assert {(m.to - m.source) % ranks for m in log.messages} == {1}, "everything goes to the next rank"


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_the_work_of_each_rank_is_what_torch_counts(place):
    ranks, length = 4, 24
    q, k, v, g = draw(3, length, 4, 2)
    placement = place(length, ranks)

    def program(comm):
        own = [placement.take(x, comm.rank, 2).requires_grad_() for x in (q, k, v)]
        with FlopCounterMode(display=False) as forward:
            out = ring_attention(*own, comm, placement, flops_per_s=1.0)
        with FlopCounterMode(display=False) as backward:
            out.backward(placement.take(g, comm.rank, 2))
        return forward.get_total_flops(), backward.get_total_flops()

    counted, log = run_ranks(ranks, program)
    cost = ring_attention_cost(placement, (2, 4, 4), 2)
    assert [forward for forward, _ in counted] == list(cost.forward_flops)
    assert [backward for _, backward in counted] == [flops * 5 // 2 for flops in cost.forward_flops]
    assert [computing(log, rank) for rank in range(ranks)] == [sum(both) for both in counted]


@pytest.mark.parametrize("ranks", [4, 8])
def test_by_the_clock_zigzag_ends_almost_twice_as_early(ranks):
    """In order, every step waits for a rank that has a whole block to compute; by zigzag all have half a block."""
    length = 8 * ranks
    case, block = draw(1, length, 2, 2), 4 * 2 * 2 * 8 * 8 * 4
    elapsed = {}
    for name, place in PLACES.items():
        attend = partial(ring_attention, flops_per_s=1.0)
        elapsed[name] = shared(attend, case, place(length, ranks), Fabric(alpha_s=0.0))[2].elapsed
    assert elapsed["zigzag"] == 3.5 * block * (2 * ranks + 1) / 4
    assert elapsed["in order"] == 3.5 * block * ranks
    assert elapsed["in order"] / elapsed["zigzag"] == pytest.approx(4 * ranks / (2 * ranks + 1))


@pytest.mark.parametrize("alpha_s", [0.0, 700.0])
def test_from_the_length_of_the_formula_on_the_transfer_is_hidden(alpha_s):
    """Forward pass without a mask: all p blocks' computation and nothing else, or p - 1 transfers that stand out."""
    ranks, shape, kv_heads, rate = 4, (1, 4, 8), 2, 16.0
    fabric = Fabric(alpha_s=alpha_s, beta_s=1.3)
    enough = hidden_length(fabric, rate, shape, kv_heads, element_size=8)
    assert enough > 3
    for length in (enough, enough + 5, enough - 1, enough // 2):
        q, k, v, _ = draw(2, length * ranks, shape[1], kv_heads, batch=1, size=shape[2])
        placement = contiguous(length * ranks, ranks)

        def program(comm, q=q, k=k, v=v, placement=placement):
            own = [placement.take(x, comm.rank, 2) for x in (q, k, v)]
            return ring_attention(*own, comm, placement, causal=False, flops_per_s=rate)

        _, log = run_ranks(ranks, program, fabric=fabric)
        block = 4 * shape[0] * shape[1] * shape[2] * length**2 / rate
        transfer = alpha_s + 1.3 * 2 * kv_heads * length * shape[2] * 8
        assert (block >= transfer) == (length >= enough)
        assert log.elapsed == pytest.approx(block + (ranks - 1) * max(block, transfer))


def test_for_equal_heads_and_two_byte_numbers_the_hidden_length_is_the_papers_flops_over_bandwidth():
    flops_per_s, bytes_per_s = 312e12, 300e9  # an A100 at its peak, and NVLink
    found = hidden_length(Fabric(0.0, 1 / bytes_per_s), flops_per_s, (2, 32, 128), 32, element_size=2)
    assert found == pytest.approx(flops_per_s / bytes_per_s, abs=1)


def test_parts_merge_in_any_order_and_survive_large_scores(held):
    """Scores of some thousands: exponentials would overflow without the running maximum."""
    q, k, v, _ = draw(5, 12, 4, 2)
    q = q * 1e3
    grouped = by_group(q, 2)
    blocks = [
        attend_block(grouped, k[:, :, at], v[:, :, at], diagonal=False) for at in (slice(5), slice(5, 6), slice(6, 12))
    ]
    expected = gathered((q, k, v, q), causal=False)["output"]
    scores = grouped @ k[:, :, None].mT / 2
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        whole = nothing_read(grouped)
        for number in order:
            whole = merge(whole, blocks[number])
        held("merged blocks", "SDPA on gathered tensors", whole.out.flatten(1, 2), expected, 1e-12)
        held("merged blocks", "torch.logsumexp", whole.lse, scores.logsumexp(-1), 1e-12)


def test_a_placement_of_another_group_or_sequence_is_told():
    q, k, v, _ = draw(0, 8, 2, 2)
    for placement in (contiguous(8, 3), contiguous(6, 2)):
        with pytest.raises(ValueError, match="make it for this group and this sequence"):
            run_ranks(2, lambda comm, placement=placement: ring_attention(q[:, :, :4], k, v, comm, placement))


def test_single_precision_stays_single():
    q, k, v, _ = (x.float() for x in draw(0, 8, 2, 2))
    placement = zigzag(8, 2)
    outs, _ = run_ranks(
        2, lambda comm: ring_attention(*(placement.take(x, comm.rank, 2) for x in (q, k, v)), comm, placement)
    )
    assert {out.dtype for out in outs} == {torch.float32}
