"""Attention with one head of keys, cut by heads and by sequences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mlsys_core.papers import efficient_inference as paper
from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.serving.layouts import (
    attention_cost,
    batch_sharded_attention,
    crossover_context,
    head_sharded_attention,
)
from mlsys_core.workloads.devices import TPU_V4


def dense(q, keys, values):
    scores = torch.einsum("bhd,bsd->bhs", q, keys) / q.shape[-1] ** 0.5
    return torch.einsum("bhs,bsd->bhd", scores.softmax(-1), values)


@pytest.mark.parametrize("by_sequences", [False, True])
@pytest.mark.parametrize(("chips", "batch", "heads"), [(1, 3, 2), (2, 6, 4), (4, 4, 12), (3, 6, 3)])
def test_both_cuts_give_the_dense_result_and_send_what_the_formula_says(chips, batch, heads, by_sequences, held):
    draws = torch.Generator().manual_seed(chips)
    q, keys, values = (
        torch.randn(shape, generator=draws, dtype=torch.float64)
        for shape in ((batch, heads, 5), (batch, 7, 5), (batch, 7, 5))
    )

    def program(comm):
        own = q.chunk(chips, 1)[comm.rank]
        cache = [x.chunk(chips)[comm.rank] if by_sequences else x for x in (keys, values)]
        read = sum(x.numel() for x in cache)
        return batch_sharded_attention(own, *cache, comm) if by_sequences else head_sharded_attention(own, *cache), read

    results, log = run_ranks(chips, program)
    found = torch.cat([part for part, _ in results], 1)
    held("layouts: attention", "einsum", found, dense(q, keys, values), 1e-13)
    cost = attention_cost(batch, heads, 5, 7, chips, by_sequences=by_sequences)
    assert {read for _, read in results} == {cost.read}
    assert {log.sent_bytes(rank) for rank in range(chips)} == {8 * cost.sent}


def test_from_the_crossover_on_sending_queries_is_cheaper_than_reading_all_keys():
    heads, chips = 64, 64

    def seconds(context, by_sequences, device):
        cost = attention_cost(64, heads, 256, context, chips, by_sequences=by_sequences)
        return cost.read / device.bandwidth + cost.sent / device.link

    for device in (TPU_V4, replace(TPU_V4, link=TPU_V4.link / 50)):
        at = crossover_context(heads, chips, device)
        assert seconds(int(at) + 1, True, device) < seconds(int(at) + 1, False, device)
        assert seconds(int(at), True, device) >= seconds(int(at), False, device)
    assert crossover_context(heads, chips, TPU_V4) < 5


def test_the_context_that_fits_is_longer_by_the_number_of_chips():
    by_heads, by_sequences = (attention_cost(512, 64, 256, 1000, 64, by_sequences=cut).read for cut in (False, True))
    assert by_heads == 64 * by_sequences
    longest = [paper.longest_context(512, 1, 256, copies=copies) for copies in (64, 1)]
    assert longest[1] == 64 * longest[0]


def test_sequences_that_do_not_divide_are_refused():
    q, keys = torch.zeros(3, 1, 4), torch.zeros(1, 2, 4)
    with pytest.raises(ValueError, match="3 sequences for 2 chips"):
        run_ranks(2, lambda comm: batch_sharded_attention(q, keys, keys, comm))
