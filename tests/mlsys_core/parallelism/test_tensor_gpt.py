"""The GPT cut by layers: equal to one process, with the volume of the paper."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.parallelism.tensor import gather_full, load_full, parallelize, splits, tensor_parallel_cost
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.parallelism.split_programs import MANY_KEYS, by_layers
from tests.mlsys_core.parallelism.training import TINY, batches, single_process


@pytest.fixture(scope="module")
def alone():
    return {tied: single_process(replace(MANY_KEYS, tie_embeddings=tied)) for tied in (False, True)}


@pytest.mark.parametrize(("ranks", "sequence_parallel", "tied"), [(4, False, False), (2, False, True), (2, True, True)])
def test_ten_steps_are_those_of_one_process(ranks, sequence_parallel, tied, alone, held):
    config = replace(MANY_KEYS, tie_embeddings=tied)
    traces, _ = run_ranks(ranks, by_layers, sequence_parallel, config)
    for found in traces:
        held("tensor-parallel GPT, step 1", "one process", found.gradients, alone[tied].gradients, 1e-6)
        held("tensor-parallel GPT, losses", "one process", found.losses, alone[tied].losses, 1e-6)
        held("tensor-parallel GPT, 10 steps", "one process", found.weights, alone[tied].weights, 5e-5)


def step(comm, config, sequence_parallel):
    """Bytes that this rank sends in the forward and in the backward pass of one step."""
    model = parallelize(GPT(config), comm, sequence_parallel=sequence_parallel)
    tokens, targets = batches(config, steps=1, batch=3)[0]
    loss = model.loss(tokens, targets)
    forward = comm.sent_bytes
    loss.backward()
    return forward, comm.sent_bytes - forward


@pytest.mark.parametrize("sequence_parallel", [False, True])
@pytest.mark.parametrize(("ranks", "heads"), [(1, 4), (2, 4), (3, 6), (5, 5), (8, 8), (16, 16)])
def test_the_log_counts_the_bytes_of_the_formula(ranks, heads, sequence_parallel):
    config = GPTConfig(
        vocab_size=29,
        context=2 * ranks,
        dim=6 * heads,
        layers=1 + (ranks < 8),
        heads=heads,
        kv_heads=heads,
        ffn=7 * ranks + 1,
    )
    sent, _ = run_ranks(ranks, step, config, sequence_parallel)
    cost = tensor_parallel_cost(config, 3 * config.context, ranks, sequence_parallel=sequence_parallel)
    assert sum(forward for forward, _ in sent) == cost.forward
    assert sum(backward for _, backward in sent) == cost.backward


def test_a_layer_sends_4_bsh_each_way_and_parts_of_sequences_send_no_more():
    """The paper's 8 b s h (p-1)/p numbers a layer and rank: a layer more is so much more."""
    ranks, tokens, config = 4, 8 * 16, MANY_KEYS
    more = replace(config, layers=config.layers + 1)
    for sequence_parallel in (False, True):
        one, two = (tensor_parallel_cost(c, tokens, ranks, sequence_parallel=sequence_parallel) for c in (config, more))
        each = 4 * tokens * config.dim * 4 * (ranks - 1)
        assert two.forward - one.forward == each
        norms = 2 * 2 * (ranks - 1) * config.dim * 4
        assert two.backward - one.backward == each + norms * sequence_parallel
    assert each / ranks / 4 == 4 * tokens * config.dim * (ranks - 1) / ranks


def test_ranks_hold_a_share_of_every_matrix_and_read_the_same_state():
    whole, other = GPT(MANY_KEYS, seed=3), GPT(MANY_KEYS, seed=4)

    def program(comm):
        model = parallelize(whole, comm)
        load_full(model, dict(other.named_parameters()), comm)
        held_here = sum(p.numel() for p in model.parameters())
        return held_here, gather_full(dict(model.named_parameters()), model, comm), set(splits(model))

    results, _ = run_ranks(4, program)
    norms = sum(p.numel() for p in whole.parameters() if p.ndim == 1)
    matrices = sum(p.numel() for p in whole.parameters()) - norms
    assert sum(here for here, _, _ in results) == matrices + 4 * norms
    for _, state, cut in results:
        assert cut == {name for name, p in whole.named_parameters() if p.ndim == 2}
        assert all(torch.equal(state[name], p) for name, p in other.named_parameters())


def test_with_sequences_cut_less_is_kept_for_the_backward_pass():
    tokens, targets = batches(MANY_KEYS, steps=1)[0]

    def program(comm, sequence_parallel):
        model, kept = parallelize(GPT(MANY_KEYS), comm, sequence_parallel=sequence_parallel), {}
        parameters = {p.data_ptr() for p in model.parameters()}

        def keep(x):
            kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes() if x.data_ptr() not in parameters else 0
            return x

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            loss = model.loss(tokens, targets)
        del loss
        return sum(kept.values())

    without, with_ = (run_ranks(4, program, on)[0] for on in (False, True))
    assert max(with_) < 0.8 * min(without)


def test_heads_that_cannot_be_shared_are_told():
    with pytest.raises(ValueError, match="2 heads of keys cannot be shared evenly by 4 ranks"):
        run_ranks(4, lambda comm: parallelize(GPT(TINY), comm))
    with pytest.raises(ValueError, match="4 heads cannot be shared evenly by 3 ranks"):
        run_ranks(3, lambda comm: parallelize(GPT(TINY), comm))


def test_a_sequence_that_cannot_be_cut_evenly_is_told():
    def program(comm):
        return parallelize(GPT(MANY_KEYS), comm, sequence_parallel=True)(torch.zeros(1, 7, dtype=torch.int64))

    with pytest.raises(ValueError, match="A sequence of 7 cannot be cut evenly for 2 ranks"):
        run_ranks(2, program)
