"""A step through the paged cache is a forward without one, wherever the blocks are and however the tokens come."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsys_core.serving.attention import TorchAttention
from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.cache import PagedCache
from mlsys_core.serving.graph_runner import GraphRunner
from mlsys_core.serving.metrics import Metrics, Times
from mlsys_core.serving.runner import Runner, layout_of, weight_floor_s
from mlsys_core.serving.scheduler import Batch, Work
from mlsys_core.serving.sequence import Sequence
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.serving.one_by_one import TINY, tiny_model


def made(size, cls=Runner, **options):
    """A runner over blocks that lie in no order."""
    blocks = BlockManager(40, size, share=False)
    order = list(blocks.device._free)
    random.Random(size).shuffle(order)
    for block in order:
        blocks.device._free.move_to_end(block)
    cache = PagedCache(TINY, 40, size, dtype=torch.float64)
    return cls(tiny_model(), cache, TorchAttention(), **options), blocks


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.integers(1, 5), st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_prompts_cut_anywhere_and_mixed_have_the_logits_of_a_plain_forward(held, data, size, lengths):
    runner, blocks = made(size)
    numbers = torch.Generator().manual_seed(size)
    texts = [torch.randint(TINY.vocab_size, (n,), generator=numbers).tolist() for n in lengths]
    sequences = [Sequence(i, tokens, len(tokens) + 1) for i, tokens in enumerate(texts)]
    for sequence in sequences:
        blocks.allocate(sequence.id, sequence.tokens)
    logits = {}
    while any(sequence.due for sequence in sequences):
        works = []
        for sequence in [s for s in sequences if s.due]:
            count = data.draw(st.integers(1, sequence.due))
            blocks.append(sequence.id, count)
            works.append(Work(sequence, sequence.computed, count))
        logits |= runner.run(Batch(works=works), blocks)
        for work in works:
            work.sequence.computed += work.count
    with torch.inference_mode():
        expected = [tiny_model()(torch.tensor([tokens]))[0, -1] for tokens in texts]
    found = [logits[i] for i in range(len(texts))]
    held("serving: logits of mixed batches", "torch, without a cache", found, expected, 1e-12)


def test_pieces_of_one_length_read_at_once_have_the_logits_of_a_plain_forward(held):
    """Ends of two and of three tokens behind contexts of different lengths, beside a single token and a whole prompt."""
    runner, blocks = made(3)
    numbers = torch.Generator().manual_seed(5)
    sequences, works = [], []
    for i, (before, count) in enumerate([(7, 2), (2, 2), (13, 2), (1, 3), (5, 3), (4, 1), (0, 6), (3, 2)]):
        tokens = torch.randint(TINY.vocab_size, (before + count,), generator=numbers).tolist()
        sequences.append(Sequence(i, tokens, len(tokens)))
        blocks.allocate(i, tokens)
        blocks.append(i, before)
        if before:
            runner.run(Batch(works=[Work(sequences[-1], 0, before)]), blocks)
        works.append(Work(sequences[-1], before, count))
    for work in works:
        blocks.append(work.sequence.id, work.count)
    logits = runner.run(Batch(works=works), blocks)
    with torch.inference_mode():
        expected = [tiny_model()(torch.tensor([s.tokens]))[0, -1] for s in sequences]
    found = [logits[s.id] for s in sequences]
    held("serving: logits of mixed batches", "torch, without a cache", found, expected, 1e-12)


def test_a_recorded_step_is_filled_up_and_the_filling_touches_nobody(held):
    runner, blocks = made(3, GraphRunner, sizes=(4, 2))
    plain, others = made(3)
    both = []
    for one, manager in ((runner, blocks), (plain, others)):
        sequences = [Sequence(i, [i, 1, 2 + i][: 1 + i], 9) for i in range(3)]
        for sequence in sequences:
            manager.allocate(sequence.id, sequence.tokens)
            manager.append(sequence.id, len(sequence.tokens))
        one.run(Batch(works=[Work(s, 0, len(s.tokens)) for s in sequences]), manager)
        found = []
        for token in (5, 6):
            for sequence in sequences:
                sequence.tokens.append(token)
                manager.append(sequence.id, 1)
            works = [Work(s, len(s.tokens) - 1, 1) for s in sequences]
            found.append({k: v.clone() for k, v in one.run(Batch(works=works), manager).items()})
        both.append([[step[i] for i in range(3)] for step in found])
    held("serving: recorded steps", "steps of any size", *both, 1e-12)
    used = runner.cache.keys[:, : runner.cache.spare]
    torch.testing.assert_close(used, plain.cache.keys[:, : plain.cache.spare], atol=1e-12, rtol=0)
    assert (runner.cache.keys[:, runner.cache.spare, 0] != 0).all()


def test_copies_of_a_step_are_made_out_in_and_across_in_this_order():
    cache = PagedCache(TINY, 4, 2, swap_blocks=2)
    for block in range(4):
        cache.keys[:, block], cache.values[:, block] = float(block), 10.0 + block
    cache.host_keys[:, 1] = 7.0
    cache.move(Batch(swap_out=[(0, 0)], swap_in=[(1, 0)], copies=[(0, 1), (1, 2)]))
    assert cache.host_keys[:, 0].unique().tolist() == [0.0]
    assert [cache.keys[:, block].unique().tolist() for block in range(4)] == [[7.0], [7.0], [1.0], [3.0]]
    assert cache.values[:, 2].unique().tolist() == [11.0]
    assert cache.nbytes == 2 * TINY.layers * 5 * 2 * TINY.kv_heads * TINY.head_dim * 4


def test_a_layout_says_where_each_token_stands():
    blocks = BlockManager(8, 2, share=False)
    works = []
    for i, (start, count) in enumerate([(3, 1), (1, 3)]):
        sequence = Sequence(i, list(range(5)), 6)
        blocks.allocate(i, sequence.tokens)
        blocks.append(i, start + count)
        works.append(Work(sequence, start, count))
    layout = layout_of(works, blocks, torch.device("cpu"))
    assert layout.positions.tolist() == [3, 1, 2, 3]
    assert layout.slots.tolist() == [3, 5, 6, 7]
    assert layout.tables.tolist() == [[0, 1], [2, 3]]
    assert (layout.contexts.tolist(), layout.starts.tolist(), layout.decodes) == ([4, 4], [0, 1, 4], 1)


@pytest.mark.parametrize("tied", [True, False])
def test_the_floor_of_a_step_is_every_weight_that_it_must_read(tied):
    config = GPTConfig(tie_embeddings=tied, layers=1)
    d, kv = config.dim, config.kv_heads * config.head_dim
    read = d * (2 * d + 2 * kv) + 3 * d * config.ffn + 3 * d + config.vocab_size * d
    assert weight_floor_s(GPT(config), 100.0) == 4 * read / 100.0


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_percentiles_are_numpys(held, seen):
    metrics = Metrics()
    metrics.requests.extend(Times(arrived=0.0, first=value) for value in seen)
    metrics.requests.append(Times(arrived=1.0))
    found = metrics.percentiles("time_to_first_token")
    held("serving: percentiles", "numpy", found, list(np.percentile(seen, [50, 90, 99])), 1e-9)
    assert metrics.percentiles("time_per_token") == (0.0, 0.0, 0.0)
