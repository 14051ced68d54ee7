"""Tensor-parallel decoding: the tokens of one process, the bytes of the formula, a part of the cache a rank."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mlsys_core.parallelism.communication import run_processes, run_ranks
from mlsys_core.serving.sampling import SamplingParams, generator_for, probabilities, sample
from mlsys_core.serving.tensor_parallel import (
    TensorParallelDecoder,
    generate,
    pass_cost,
    rank_cache_bytes,
    repeat_kv_heads,
)
from mlsys_core.workloads.gpt import GPT, GPTConfig

# 29 words and 50 inner features: no number of ranks shares them evenly
CONFIG = GPTConfig(vocab_size=29, context=32, dim=48, layers=2, heads=8, kv_heads=4, ffn=50)
PROMPTS = torch.randint(29, (3, 5), generator=torch.Generator().manual_seed(0))
GREEDY, SAMPLED = SamplingParams(max_tokens=6, temperature=0.0), SamplingParams(max_tokens=6, temperature=1.5, seed=7)


def alone(model, prompts, params):
    """One process, no cache."""
    text, draws = prompts, generator_for(params.seed or 0)
    with torch.no_grad():
        for _ in range(params.max_tokens):
            chosen = sample(probabilities(model(text)[:, -1], params), draws)
            text = torch.cat((text, chosen[:, None]), 1)
    return text[:, prompts.shape[1] :]


def program(comm, config):
    model = GPT(config, 3).double()
    return [generate(comm, model, PROMPTS, params) for params in (GREEDY, SAMPLED)]


@pytest.mark.parametrize(("ranks", "kv_heads"), [(1, 4), (2, 4), (4, 4), (8, 4), (4, 1), (2, 1), (8, 8)])
def test_every_rank_has_the_tokens_of_one_process(ranks, kv_heads):
    config = replace(CONFIG, kv_heads=kv_heads)
    expected = [alone(GPT(config, 3).double(), PROMPTS, params) for params in (GREEDY, SAMPLED)]
    results, _ = run_ranks(ranks, program, config)
    for found in results:
        for mine, theirs in zip(found, expected, strict=True):
            assert torch.equal(mine, theirs)


def test_real_processes_have_the_tokens_of_one_too():
    config = replace(CONFIG, kv_heads=1)
    expected = [alone(GPT(config, 3).double(), PROMPTS, params) for params in (GREEDY, SAMPLED)]
    for found in run_processes(2, program, config):
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))


def measured(comm, config, greedy):
    """Bytes sent for the prompt and for a token, and bytes of the cache after both."""
    decoder = TensorParallelDecoder(GPT(config, 3), comm, 9)
    read = decoder.greedy if greedy else decoder.logits
    sent = []
    for tokens in (PROMPTS, PROMPTS[:, :1]):
        before = comm.sent_bytes
        answer = read(tokens)
        assert answer.shape == ((3,) if greedy else (3, 29))
        sent.append(comm.sent_bytes - before)
    return sent, decoder.held_bytes


@pytest.mark.parametrize("greedy", [True, False])
@pytest.mark.parametrize(("ranks", "kv_heads"), [(1, 4), (2, 4), (4, 2), (8, 4)])
def test_the_log_counts_the_bytes_of_the_formula(ranks, kv_heads, greedy):
    config = replace(CONFIG, kv_heads=kv_heads)
    results, log = run_ranks(ranks, measured, config, greedy)
    costs = [pass_cost(config, 3, tokens, ranks, greedy=greedy) for tokens in (5, 1)]
    assert [sum(sent[i] for sent, _ in results) for i in range(2)] == costs
    assert sum(message.size for message in log.messages) == sum(costs)
    assert {held for _, held in results} == {3 * rank_cache_bytes(config, 6, ranks)}


def test_the_logits_are_those_of_the_whole_model(held):
    config = replace(CONFIG, kv_heads=2)
    with torch.no_grad():
        expected = GPT(config, 3)(PROMPTS)[:, -1]
    results, _ = run_ranks(4, lambda comm: TensorParallelDecoder(GPT(config, 3), comm, 5).logits(PROMPTS))
    for logits in results:
        held("tensor-parallel decoding, logits", "one process", logits, expected, 1e-5)


def test_equal_logits_choose_the_first_token_as_one_process_does():
    model = GPT(CONFIG, 3)
    with torch.no_grad():
        model.head.weight.zero_()
    results, _ = run_ranks(4, lambda comm: TensorParallelDecoder(model, comm, 5).greedy(PROMPTS))
    assert all((tokens == 0).all() for tokens in results)


def test_heads_of_keys_written_twice_are_the_same_function(held):
    model = GPT(replace(CONFIG, kv_heads=2), 1).double()
    with torch.no_grad():
        held("repeated heads of keys", "the model", repeat_kv_heads(model, 8)(PROMPTS), model(PROMPTS), 1e-13)
    with pytest.raises(ValueError, match="2 heads of keys cannot be shared evenly by 3 ranks"):
        repeat_kv_heads(model, 3)


def test_more_ranks_than_heads_are_refused():
    with pytest.raises(ValueError, match="cannot"):
        run_ranks(16, program, replace(CONFIG, kv_heads=1))


def test_a_cache_is_cut_until_a_rank_has_one_head():
    config = replace(CONFIG, kv_heads=4)
    assert [rank_cache_bytes(config, 10, ranks) / rank_cache_bytes(config, 10, 1) for ranks in (1, 2, 4, 8)] == [
        1,
        0.5,
        0.25,
        0.25,
    ]
