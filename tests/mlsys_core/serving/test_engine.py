"""Whatever the load, the memory and the order, everyone gets what he would have got alone."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.engine import Engine
from mlsys_core.serving.sampling import SamplingParams
from mlsys_core.serving.scheduler import SchedulerConfig
from tests.mlsys_core.serving.loads import alone, configs, requests, serve
from tests.mlsys_core.serving.one_by_one import generate, tiny_model


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(configs(), st.lists(requests(), min_size=2, max_size=6))
def test_everyone_gets_what_he_would_have_got_alone(config, load):
    engine = Engine(tiny_model(), config)
    assert serve(engine, load) == alone(load)
    for kind, count in engine.scheduler.preemptions.items():
        event(f"{kind}: {'some' if count else 'none'}")
    assert not engine.blocks.tables, "nobody keeps memory who has ended"
    assert engine.blocks.available == config.blocks


@pytest.mark.parametrize("preemption", ["recompute", "swap"])
@pytest.mark.parametrize("prefix_cache", ["hash", "radix", "none"])
def test_a_pool_too_small_for_all_preempts_and_changes_nobodys_tokens(preemption, prefix_cache):
    scheduler = SchedulerConfig(token_budget=12, max_sequences=6, preemption=preemption)
    config = EngineConfig(blocks=12, block_size=2, swap_blocks=40, prefix_cache=prefix_cache, scheduler=scheduler)
    load = [
        ([1, 2, 3, 4, i % 11, i], SamplingParams(max_tokens=16, temperature=0.9, seed=i, n=1 + i % 2), i)
        for i in range(5)
    ]
    engine = Engine(tiny_model(), config)
    assert serve(engine, load) == alone(load)
    assert engine.metrics().preemptions[preemption] > 0


def test_the_sampled_tokens_of_a_request_depend_on_its_seed_only():
    params = SamplingParams(max_tokens=12, temperature=1.2, seed=5)
    quiet, busy = Engine(tiny_model()), Engine(tiny_model())
    crowd = [([i, 3], SamplingParams(max_tokens=9, seed=i), 0) for i in range(6)]
    first = serve(quiet, [([4, 4], params, 0)])[0, 0]
    assert serve(busy, [*crowd, ([4, 4], params, 0)])[6, 0] == first
    other = SamplingParams(max_tokens=12, temperature=1.2, seed=6)
    assert serve(Engine(tiny_model()), [([4, 4], other, 0)])[0, 0] != first
    drawn = {tuple(serve(Engine(tiny_model()), [([4], SamplingParams(max_tokens=20), 0)])[0, 0][0]) for _ in range(4)}
    assert len(drawn) > 1, "without a seed, each request draws its own"


def test_outputs_of_one_request_share_the_blocks_of_its_prompt():
    config = EngineConfig(blocks=64, block_size=4, prefix_cache="none")
    engine = Engine(tiny_model(), config)
    engine.add_request(range(10), SamplingParams(max_tokens=3, temperature=1.0, seed=1, n=4))
    assert {output.index for output in engine.step()} == {0, 1, 2, 3}
    assert config.blocks - engine.blocks.available == 3, "ten tokens, once"
    engine.step()
    assert config.blocks - engine.blocks.available == 2 + 4, "each writes to a copy of the block that was not full"


def test_log_probabilities_are_the_models_own(held):
    import torch

    engine = Engine(tiny_model())
    engine.add_request([1, 2, 3], SamplingParams(max_tokens=6, temperature=2.0, top_k=3, seed=2))
    outputs = []
    while engine.busy:
        outputs += engine.step()
    tokens = [1, 2, 3] + [token for output in outputs for token in output.tokens]
    with torch.inference_mode():
        expected = tiny_model()(torch.tensor([tokens]))[0].log_softmax(-1)[range(2, 8), tokens[3:]]
    found = [p for output in outputs for p in output.logprobs]
    held("serving: log-probabilities", "torch, without a cache", found, expected.tolist(), 1e-5)


def test_what_may_become_a_stop_sequence_is_held_back_and_sent_when_it_does_not():
    tokens, _ = generate(tiny_model(), [5], SamplingParams(max_tokens=10, temperature=0.0))
    stop = (*tokens[4:6], 99 % 11 if tokens[6] != 99 % 11 else 1)
    engine = Engine(tiny_model())
    engine.add_request([5], SamplingParams(max_tokens=10, temperature=0.0, stop=(stop,)))
    sent = [output.tokens for _ in range(10) for output in engine.step()]
    assert sum(sent, ()) == tuple(tokens)
    assert () in sent


def test_an_aborted_request_leaves_nothing_behind_and_disturbs_nobody():
    engine = Engine(tiny_model(), EngineConfig(blocks=24, block_size=2, prefix_cache="none"))
    params = SamplingParams(max_tokens=8, temperature=0.0)
    numbers = [engine.add_request([1, 2, i], params) for i in range(3)]
    seen = defaultdict(list)
    for step in range(20):
        if step == 2:
            assert engine.abort(numbers[1])
            assert not engine.abort(numbers[1])
        for output in engine.step():
            seen[output.request] += output.tokens
    assert len(seen[numbers[1]]) == 2
    for i in (0, 2):
        assert seen[numbers[i]] == generate(tiny_model(), [1, 2, i], params)[0]
    assert engine.blocks.available == 24
    assert engine.metrics().finished == {"length": 2, "abort": 1}


def test_the_clock_says_how_long_the_first_token_took_and_each_after_it():
    now = iter(range(1000))
    engine = Engine(tiny_model(), clock=lambda: float(next(now)))
    number = engine.add_request([1, 2], SamplingParams(max_tokens=5, temperature=0.0))  # 0
    engine.step()  # it reads the clock twice: admitted at 1, first token at 2
    times = engine.times(number)
    assert (times.arrived, times.admitted, times.first) == (0.0, 1.0, 2.0)
    while engine.busy:
        engine.step()
    assert (times.time_to_first_token, times.time_per_token) == (2.0, 2.0)
    found = engine.metrics()
    assert found.percentiles("time_to_first_token") == (2.0, 2.0, 2.0)
    assert (found.steps, found.output_tokens, found.computed_tokens) == (5, 5, 6)


def test_a_prompt_that_was_served_before_is_not_computed_again():
    for kind in ("hash", "radix"):
        engine = Engine(tiny_model(), EngineConfig(block_size=4, prefix_cache=kind))
        for _ in range(2):
            engine.add_request(range(9), SamplingParams(max_tokens=1, temperature=0.0))
            engine.step()
        assert [times.cached_tokens for times in engine.metrics().requests] == [0, 8]
        assert engine.metrics().prefix_hit_rate == 8 / 18


@pytest.mark.parametrize(
    ("prompt", "params", "words"),
    [
        ([], {}, "without a prompt"),
        ([11], {}, "vocabulary of 11"),
        ([1] * 40, {"max_tokens": 9}, "context of 48"),
        ([1] * 20, {"max_tokens": 20}, "do not fit"),
        ([1], {"n": 5}, "5 outputs"),
    ],
)
def test_what_can_never_be_served_is_refused_at_once(prompt, params, words):
    config = EngineConfig(blocks=8, block_size=4, scheduler=SchedulerConfig(8, 4))
    engine = Engine(tiny_model(), config)
    with pytest.raises(ValueError, match=words):
        engine.add_request(prompt, SamplingParams(**params))
    assert not engine.busy
