"""The papers about serving: what was published, and the formulas a second time, by drawing, by counting and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.papers import orca, sglang, speculative, vllm
from mlsys_core.serving.contiguous import cache_bytes
from mlsys_core.serving.radix import RadixCache
from mlsys_core.serving.simulator import ON_A100_40GB
from mlsys_core.workloads.gpt import GPTConfig


def test_speculative_decoding_to_the_last_printed_digit():
    for row in speculative.TOKENS.rows:
        for cell in row.cells:
            assert round(cell.computed, 2) == cell.published, row.label


def test_tokens_a_pass_are_those_of_a_geometric_draw():
    rng = np.random.default_rng(0)
    for alpha, gamma in ((0.6, 2), (0.8, 5), (0.9, 10)):
        tokens = np.minimum(rng.geometric(1 - alpha, 200_000), gamma + 1)
        assert abs(tokens.mean() - speculative.expected_tokens(alpha, gamma)) < 4 * tokens.std() / 200_000**0.5


@given(st.floats(0, 0.99), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_drafting_pays_where_more_is_kept_than_it_costs(alpha, cost):
    """Corollary 3.9: some γ is faster than none if and only if α > c, and γ = 1 then is by (1 + α)/(1 + c)."""
    best = speculative.best_gamma(alpha, cost)
    assert speculative.improvement(alpha, 1, cost) == pytest.approx((1 + alpha) / (1 + cost))
    if abs(alpha - cost) > 1e-9:
        assert (best > 0) is (alpha > cost)
    assert all(
        speculative.improvement(alpha, best, cost) >= speculative.improvement(alpha, gamma, cost) for gamma in range(65)
    )


def test_orca_serves_37_times_as_many_requests_and_that_is_the_ratio_of_what_is_printed():
    assert orca.SPEED.worst < 0.003


@pytest.mark.parametrize(("batch", "mean"), [(1, 50.0), (8, 20.0), (64, 200.0), (5, 1.0)])
def test_the_longest_of_a_batch_by_drawing(batch, mean):
    draws = np.random.default_rng(1).geometric(1 / mean, (20_000, batch)).max(1)
    assert abs(draws.mean() - orca.expected_longest(batch, mean)) <= 4 * draws.std() / 20_000**0.5 + 1e-9
    assert orca.useful_rows(1, mean) == pytest.approx(1)


def test_a_token_of_opt_13b_takes_800_kilobytes_wherever_it_is_counted():
    bytes_a_token = vllm.kv_bytes_a_token(40, 5120)
    assert bytes_a_token == 800 * 1024
    assert ON_A100_40GB.kv_bytes == bytes_a_token
    config = GPTConfig(dim=5120, layers=40, heads=40, kv_heads=40)
    assert cache_bytes(config, 1, element_size=2) == bytes_a_token


def test_parts_of_the_memory_add_up_and_seven_requests_fit():
    for row in vllm.REST.rows:
        assert abs(row.cells[0].computed - row.cells[0].published) <= 0.15
    assert [row.cells[0].computed for row in vllm.BATCH.rows] == [7, 7]
    assert vllm.slots(40 * 2**30, 13e9, 819_200) == ON_A100_40GB.slots()


@pytest.mark.parametrize("block", [1, 2, 16, 64])
def test_half_of_the_last_block_is_idle_on_average(block):
    lengths = np.arange(1, 64 * 200 + 1)
    idle = -(-lengths // block) * block - lengths
    assert idle.mean() == pytest.approx((block - 1) / 2)
    assert vllm.in_use_blocks(1000, block) == 1000 / (1000 + idle.mean())
    assert vllm.in_use_reserved(512) == 0.25


WORKLOADS = st.builds(sglang.Workload, *(st.integers(1, 4),) * 2, *(st.integers(1, 6),) * 3)


def replayed(workload, order, size):
    """Token by token: the tokens held, each with its last use; the deepest of those used longest ago goes first."""
    held, hits = {}, 0
    for now, request in enumerate(order):
        tokens = [(node, i) for node, count in workload.path(request) for i in range(count)]
        hits += sum(token in held for token in tokens)
        held |= {token: (now, -depth) for depth, token in enumerate(tokens)}
        for token in sorted(held, key=held.get)[: max(0, len(held) - size)]:
            del held[token]
    return hits / (len(order) * workload.prompt)


@settings(max_examples=60, deadline=None)
@given(WORKLOADS, st.integers(0, 40), st.randoms(use_true_random=False))
def test_hit_rates_are_those_of_a_replay_of_every_token(workload, room, random):
    size = workload.prompt + room
    order = workload.as_they_come()
    random.shuffle(order)
    assert sglang.hit_rate(workload, order, size) == pytest.approx(replayed(workload, order, size))
    best = workload.best_hit_rate
    assert sglang.hit_rate(workload, order, size) <= best + 1e-12
    assert sglang.hit_rate(workload, workload.depth_first(), size) == pytest.approx(best)
    assert sglang.hit_rate(workload, order, workload.tree) == pytest.approx(best)


def test_a_cache_that_holds_no_prompt_is_refused():
    with pytest.raises(ValueError, match="cannot hold a prompt of 9"):
        sglang.Cache(sglang.Workload(1, 1, 4, 3, 2), 8)


@pytest.mark.parametrize(("workload", "counted"), sglang.COUNTED)
def test_the_counts_are_those_of_the_librarys_radix_tree(workload, counted):
    """Pages of 16 tokens, room for one prompt, every prompt written out."""
    tree, computed = RadixCache(16), 0
    for group, request in workload.depth_first():
        parts = ((0, 0, workload.common), (1, group, workload.shared), (2, 1000 * group + request, workload.own))
        prompt = [(which << 40) + (number << 20) + i for which, number, size in parts for i in range(size)]
        found, _ = tree.match_prefix(prompt)
        computed += len(prompt) - 16 * len(found)
        tree.insert(prompt, range(len(prompt) // 16))
        tree.evict(max(0, tree.size - workload.prompt // 16))
    assert computed == counted


def test_what_was_counted_is_the_tree_and_spans_the_published_range_of_hit_rates():
    assert all(cell.computed == cell.published for row in sglang.COMPUTED.rows for cell in row.cells)
    rates = [workload.best_hit_rate for workload, _ in sglang.COUNTED]
    assert rates == sorted(rates)
    assert 0.45 < rates[0] < 0.5
    assert 0.97 < rates[-1] < 0.99
