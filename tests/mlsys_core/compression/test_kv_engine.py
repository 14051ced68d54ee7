"""In the engine's blocks a policy keeps what it keeps in one piece, for everybody at once, and gives the rest of the memory back."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
import torch

from mlsys_core.compression.kv import H2O, KIVI, CompressedDecoder, SnapKV, StreamingLLM, compressed
from mlsys_core.compression.kv.paged import paged_bytes
from mlsys_core.compression.kv.paged_kivi import block_bytes, coded_bytes
from mlsys_core.serving.attention import TorchAttention
from mlsys_core.serving.blocks import kv_bytes
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.engine import Engine
from mlsys_core.serving.sampling import SamplingParams
from mlsys_core.serving.scheduler import Batch, SchedulerConfig
from mlsys_core.workloads import small_model
from tests.mlsys_core.serving.one_by_one import TINY, generate, tiny_model

ROOMY = [StreamingLLM(44), StreamingLLM(48, 0), H2O(20, 28), SnapKV(48, 8), KIVI(2, 16, 48)]
TIGHT = [
    StreamingLLM(5, 2),
    StreamingLLM(7, 0),
    H2O(3, 4),
    H2O(0, 6),
    SnapKV(7, 3),
    SnapKV(9, 2, 1),
    KIVI(2, 4, 4),
    KIVI(4, 4, 8),
]


def named(policy):
    return type(policy).__name__


def greedy(tokens):
    return SamplingParams(max_tokens=tokens, temperature=0.0)


def config_for(policy, *, blocks=200, size=3, budget=512, preemption="recompute", swap=0, sequences=8):
    """An engine's configuration; KIVI's blocks have the size of its window."""
    scheduler = SchedulerConfig(token_budget=budget, max_sequences=sequences, preemption=preemption)
    size = policy.residual if isinstance(policy, KIVI) else size
    return EngineConfig(blocks=blocks, block_size=size, swap_blocks=swap, prefix_cache="none", scheduler=scheduler)


def engine_for(policy, **options):
    return Engine(tiny_model(), config_for(policy, **options), runner=compressed(policy))


def load_of(seed, count, longest=20):
    """Prompts of any length, and how many tokens each asks for."""
    draw = random.Random(seed)
    prompts = [[draw.randrange(TINY.vocab_size) for _ in range(draw.randint(1, longest))] for _ in range(count)]
    return [(prompt, greedy(draw.randint(5, 20))) for prompt in prompts]


def watched(engine):
    """Logits (V,) of all steps to come, by sequence."""
    rows, run = defaultdict(list), engine.runner.run

    def watch(batch, blocks):
        logits = run(batch, blocks)
        for number, row in logits.items():
            rows[number].append(row)
        return logits

    engine.runner.run = watch
    return rows


def served(engine, load):
    """Tokens and logits (max_tokens, V) by request; the requests come one a step, so that everyone stands somewhere else."""
    tokens, rows, line = defaultdict(list), watched(engine), list(load)
    while line or engine.busy:
        if line:
            engine.add_request(*line.pop(0))
        for output in engine.step():
            tokens[output.request] += output.tokens
    assert engine.blocks.available == engine.config.blocks, "all memory is given back"
    return [(tokens[i], torch.stack(rows[i + 1])) for i in range(len(load))]


def alone(policy, prompt, count, cuts=None):
    """The same by a cache in one piece, which reads the prompt at once or cut in pieces."""
    decoder, tokens, rows = CompressedDecoder(tiny_model(), policy), [], []
    unread = [torch.tensor([prompt[a:b]]) for a, b in cuts or [(0, len(prompt))]]
    while len(tokens) < count:
        for piece in unread:
            last = decoder.extend(piece)[0, -1]
        rows.append(last)
        tokens.append(int(last.argmax()))
        unread = [torch.tensor([tokens[-1:]])]
    return tokens, torch.stack(rows)


@pytest.mark.parametrize("preemption", ["recompute", "swap"])
@pytest.mark.parametrize("policy", ROOMY, ids=named)
def test_with_room_for_everything_all_get_the_tokens_of_the_full_cache(policy, preemption):
    """Whatever the pieces of prompts, and whoever is preempted."""
    if isinstance(policy, KIVI):
        options = {"blocks": 3, "budget": 12}
    else:
        options = {"blocks": 22, "budget": 12, "preemption": preemption, "swap": 60}
    load = load_of(1, 6)
    engine = engine_for(policy, **options)
    assert [tokens for tokens, _ in served(engine, load)] == [generate(tiny_model(), *one)[0] for one in load]
    if not isinstance(policy, KIVI):
        assert engine.metrics().preemptions[preemption] > 0


@pytest.mark.parametrize("policy", TIGHT, ids=named)
def test_everyone_gets_what_a_cache_in_one_piece_gives(held, policy):
    load = load_of(2, 7)
    for (tokens, logits), (prompt, params) in zip(served(engine_for(policy), load), load, strict=True):
        expected = alone(policy, prompt, params.max_tokens)
        assert tokens == expected[0]
        held("KV compression: in blocks", "a cache in one piece", logits, expected[1], 1e-12)


@pytest.mark.parametrize("policy", [TIGHT[0], TIGHT[2], TIGHT[6]], ids=named)
def test_a_prompt_in_pieces_is_cut_after_each_of_them(held, policy):
    prompt = random.Random(3).choices(range(TINY.vocab_size), k=23)
    engine = engine_for(policy, budget=8)
    ((_, logits),) = served(engine, [(prompt, greedy(12))])
    expected = alone(policy, prompt, 12, [(0, 8), (8, 16), (16, 23)])
    held("KV compression: in blocks", "a cache in one piece", logits, expected[1], 1e-12)


@pytest.mark.parametrize("policy", [policy for policy in TIGHT if not isinstance(policy, KIVI)], ids=named)
def test_what_goes_to_the_host_comes_back_as_it_was(held, policy):
    load = load_of(5, 6, longest=9)
    engine = engine_for(policy, blocks=10, size=3, preemption="swap", swap=90, sequences=6)
    for (_, logits), (prompt, params) in zip(served(engine, load), load, strict=True):
        held(
            "KV compression: in blocks",
            "a cache in one piece",
            logits,
            alone(policy, prompt, params.max_tokens)[1],
            1e-12,
        )
    assert engine.metrics().preemptions["swap"] > 0


@pytest.mark.parametrize("policy", TIGHT, ids=named)
def test_who_loses_the_memory_is_read_again_as_a_prompt(held, policy):
    prompt, engine = random.Random(6).choices(range(TINY.vocab_size), k=10), engine_for(policy)
    number, tokens, rows = engine.add_request(prompt, greedy(14)), [], watched(engine)
    while engine.knows(number):
        if len(tokens) == 6:
            engine.scheduler._preempt(engine.scheduler.running[0], Batch())
        tokens += [token for output in engine.step() for token in output.tokens]
    first, again = alone(policy, prompt, 6), alone(policy, [*prompt, *tokens[:6]], 8)
    assert tokens == [*first[0], *again[0]]
    expected = torch.cat((first[1], again[1]))
    held("KV compression: in blocks", "a cache in one piece", torch.stack(rows[1]), expected, 1e-12)


def test_snapkv_waits_for_the_end_of_a_prompt_in_pieces(held):
    """If the window is within the last piece, the pieces make no difference."""
    policy, prompt = SnapKV(7, 3), random.Random(4).choices(range(TINY.vocab_size), k=22)
    ((_, logits),) = served(engine_for(policy, budget=9), [(prompt, greedy(12))])
    held("KV compression: in blocks", "a cache in one piece", logits, alone(policy, prompt, 12)[1], 1e-12)


@pytest.mark.parametrize("policy", [policy for policy in TIGHT if not isinstance(policy, KIVI)], ids=named)
@pytest.mark.parametrize("prompt", [1, 6, 17])
def test_blocks_and_sums_have_the_bytes_that_the_formula_says(policy, prompt):
    engine = engine_for(policy, size=4)
    engine.add_request(list(range(prompt % 7, prompt % 7 + 1)) * prompt, greedy(20))
    element, cache = 8, engine.runner.cache
    one = kv_bytes(4, TINY.layers, TINY.kv_heads, TINY.head_dim, element)
    assert cache.nbytes == (engine.config.blocks + 1) * one  # and the spare one
    for generated in range(19):
        engine.step()
        blocks = engine.config.blocks - engine.blocks.available
        sums = sum(s.nbytes for s in getattr(engine.runner, "sums", {}).values())
        assert blocks * one + sums == paged_bytes(policy, TINY, prompt, generated, block=4, element=element)
        kept = policy.tokens(prompt, generated)
        assert engine.blocks.tables[1].length == kept


@pytest.mark.parametrize("policy", TIGHT[6:], ids=named)
@pytest.mark.parametrize("prompt", [1, 8, 17])
def test_blocks_of_codes_and_windows_have_the_bytes_that_the_formula_says(policy, prompt):
    engine = engine_for(policy)
    engine.add_request([3] * prompt, greedy(20))
    one = block_bytes(policy, TINY)
    assert engine.runner.pool.nbytes == engine.config.blocks * one
    for generated in range(19):
        engine.step()
        blocks = engine.config.blocks - engine.blocks.available
        assert blocks * one + engine.runner.window_bytes == coded_bytes(policy, TINY, prompt + generated, 8)


def test_with_a_policy_more_run_at_once_in_the_same_memory():
    """Twelve blocks of three tokens are two texts of 18, or four of nine."""
    load = [([i, 1, 2], greedy(15)) for i in range(4)]
    full = Engine(tiny_model(), config_for(None, blocks=12))
    kept = engine_for(StreamingLLM(6, 2), blocks=12)
    for engine in (full, kept):
        served(engine, load)
    assert full.metrics().preemptions["recompute"] > 0
    assert kept.metrics().preemptions["recompute"] == 0


def test_the_trained_model_writes_on_with_a_cache_that_is_large_enough():
    """Float32, and letters of a play: the very letters, in one batch."""
    model, letters = small_model.load(), small_model.VOCABULARY()
    lines = ["ROMEO:\nBut soft", "First Citizen:\nWe are", "KING HENRY:\n"]
    prompts = [letters.encode(line).tolist() for line in lines]
    written = []
    for policy in (None, StreamingLLM(60), H2O(30, 34), SnapKV(64, 8), KIVI(2, 64, 64)):
        size = 64 if isinstance(policy, KIVI) else 16
        config = EngineConfig(blocks=16, block_size=size, prefix_cache="none")
        engine = Engine(model, config, runner=None if policy is None else compressed(policy))
        load = [(prompt, greedy(24)) for prompt in prompts]
        written.append([tokens for tokens, _ in served(engine, load)])
    assert all(texts == written[0] for texts in written)


def test_what_cannot_be_kept_small_is_refused():
    for policy, change in (
        (H2O(3, 4), {"prefix_cache": "hash"}),
        (KIVI(2, 4, 8), {"prefix_cache": "radix"}),
        (SnapKV(7, 3), {"prefix_cache": "none", "decode_sizes": (2,)}),
    ):
        with pytest.raises(ValueError, match="no use to others"):
            Engine(tiny_model(), EngineConfig(**change), runner=compressed(policy))
    for change in ({"block_size": 16}, {"block_size": 8, "swap_blocks": 2}):
        with pytest.raises(ValueError, match="block_size=8"):
            Engine(tiny_model(), EngineConfig(prefix_cache="none", **change), runner=compressed(KIVI(2, 4, 8)))
    for policy in (StreamingLLM(5, 2), H2O(3, 4), SnapKV(7, 3), KIVI(2, 4, 4)):
        with pytest.raises(ValueError, match="one a request"):
            engine_for(policy).add_request([1, 2], SamplingParams(n=2))
    with pytest.raises(ValueError, match="its own attention"):
        Engine(tiny_model(), config_for(None), attention=TorchAttention(), runner=compressed(H2O(3, 4)))
