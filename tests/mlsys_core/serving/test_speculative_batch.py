"""With guesses in the batch everyone gets what he would have got alone, in fewer steps, and what was refused leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from mlsys_core.compression.kv import H2O, compressed
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.drafts import ModelDraft, NGramDraft
from mlsys_core.serving.engine import Engine
from mlsys_core.serving.exposition import exposition
from mlsys_core.serving.goodness import LEVEL, p_value
from mlsys_core.serving.lengths import AdaptiveLength, FixedLength
from mlsys_core.serving.sampling import SamplingParams, probabilities
from mlsys_core.serving.scheduler import SchedulerConfig
from mlsys_core.serving.speculative_batch import Speculation
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.serving.loads import alone, configs, requests, serve
from tests.mlsys_core.serving.one_by_one import TINY, generate, tiny_model

DRAFTS = {
    "text": lambda: NGramDraft(TINY.vocab_size),
    "itself": lambda: ModelDraft(tiny_model(), TINY.context),
    "other": lambda: ModelDraft(tiny_model(1), TINY.context),
    "itself, one pass for all": tiny_model(),
    "other, one pass for all": tiny_model(1),
}


class Scripted:
    """Guesses what it is told, as if it were sure."""

    def __init__(self, follows, vocabulary=TINY.vocab_size):
        self.follows, self.vocabulary = follows, vocabulary

    def propose(self, tokens, count, *_chance):
        guesses = torch.tensor(self.follows(len(tokens))[:count], dtype=torch.long)
        return guesses, torch.nn.functional.one_hot(guesses, self.vocabulary).double()


class Watched(Engine):
    """An engine that is looked at before the model runs and after each step; of who does not run, the draft keeps nothing."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.run, self.runner.run = self.runner.run, self.looked_at

    def looked_at(self, batch, blocks):
        assert sum(len(work.tokens) for work in batch.works) == batch.tokens <= self.config.scheduler.token_budget
        return self.run(batch, blocks)

    def step(self):
        found = super().step()
        drafts = getattr(self.speculator.drafts, "blocks", None)
        assert set(drafts.tables if drafts else ()) <= {sequence.id for sequence in self.scheduler.running}
        for sequence in self.scheduler.running:
            assert self.blocks.tables[sequence.id].length == sequence.computed == len(sequence.tokens) - sequence.due
        return found


def greedy(tokens, **more):
    return SamplingParams(max_tokens=tokens, temperature=0.0, **more)


def plan(draft, lengths):
    return Speculation(draft, lambda: lengths if isinstance(lengths, FixedLength) else AdaptiveLength(0.1))


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    configs(),
    st.lists(requests().map(lambda one: (one[0], replace(one[1], temperature=0.0), one[2])), min_size=2, max_size=5),
    st.sampled_from(sorted(DRAFTS)),
    st.sampled_from([FixedLength(1), FixedLength(4), None]),
)
def test_greedy_outputs_are_those_of_each_alone(config, load, draft, lengths):
    engine = Watched(tiny_model(), config, speculation=plan(DRAFTS[draft], lengths))
    assert serve(engine, load) == alone(load)
    found = engine.metrics()
    assert 0 <= found.accepted_tokens <= found.drafted_tokens
    if draft.startswith("itself"):
        assert found.accepted_tokens == found.drafted_tokens
    event(f"kept: {'some' if found.accepted_tokens else 'none'}")
    for memory in (engine.blocks, getattr(engine.speculator.drafts, "blocks", engine.blocks)):
        assert not memory.tables
        assert memory.available == config.blocks


@pytest.mark.parametrize("draft", ["model", "model, one pass for all", "text", "sure"])
def test_sampled_outputs_have_the_models_distribution(draft):
    """Transitions of 24 texts, eight at a time, of a model that looks at the last token only, with a cut and a temperature."""
    config = GPTConfig(vocab_size=4, context=80, dim=8, layers=1, heads=2, kv_heads=1, ffn=8)
    model, small = GPT(config, 1).double(), GPT(config, 2).double()
    params = SamplingParams(max_tokens=60, temperature=0.9, top_p=0.95)
    with torch.no_grad():
        for one in (model, small):
            one.embed.weight *= 10
            one.head.weight *= 10
            one.blocks[0].attn.o_proj.weight.zero_()
        table = probabilities(model(torch.arange(4)[:, None])[:, 0], params)
    makes = {
        "model": lambda: ModelDraft(small, 80),
        "model, one pass for all": small,
        "text": lambda: NGramDraft(4),
        "sure": lambda: Scripted(lambda _: [2, 2], 4),
    }
    limits = SchedulerConfig(token_budget=20, max_sequences=8)
    memory = EngineConfig(blocks=40, block_size=8, prefix_cache="none", scheduler=limits)
    engine = Watched(model, memory, speculation=plan(makes[draft], FixedLength(2)))
    outputs = serve(engine, [([i % 4], replace(params, seed=i), 1) for i in range(24)])
    counts = torch.zeros(4, 4)
    for (number, _), (tokens, _) in outputs.items():
        for before, after in zip([number % 4, *tokens], tokens, strict=False):
            counts[before, after] += 1
    found = engine.metrics()
    assert counts.sum() == 24 * 60
    assert 0.1 < found.accepted_tokens / found.drafted_tokens < 0.95
    assert (table > 0).sum(1).max() >= 3
    for row, expected in zip(counts, table, strict=True):
        assert p_value(row, expected) > LEVEL


def test_a_draft_that_is_always_right_saves_the_steps_and_the_statistics_say_so():
    engine = Watched(tiny_model(), speculation=plan(DRAFTS["itself"], FixedLength(3)))
    load = [([1, 2, 3, 4, 5], greedy(13), 0), ([6], greedy(13), 0)]
    assert serve(engine, load) == alone(load)
    found = engine.metrics()
    assert (found.steps, found.output_tokens) == (4, 26), "four tokens, four, four, and one"
    assert (found.rounds, found.drafted_tokens, found.accepted_tokens) == (6, 18, 18)
    assert found.accepted_length == 3
    assert b"mlsys_accepted_tokens_total 18.0" in exposition(found)
    assert Engine(tiny_model()).metrics().accepted_length == 0


def test_the_blocks_of_refused_tokens_are_free_after_the_step():
    prompt, params = [1, 2, 3], greedy(16)
    right, _ = generate(tiny_model(), prompt, params)
    wrong = [(token + 1) % TINY.vocab_size for token in right]
    for prefix_cache in ("hash", "radix", "none"):
        config = EngineConfig(blocks=16, block_size=2, prefix_cache=prefix_cache)
        draft = Scripted(lambda length: wrong[length - 3 :])
        engine = Watched(tiny_model(), config, speculation=plan(lambda draft=draft: draft, FixedLength(5)))
        number, said = engine.add_request(prompt, params), []
        while engine.knows(number):
            (output,) = engine.step()
            said += output.tokens
            if not output.finished:
                assert 16 - engine.blocks.available == -(-(2 + len(said)) // 2), "three, and all but the newest"
        assert said == right
        found = engine.metrics()
        assert (found.steps, found.rounds, found.accepted_tokens) == (16, 15, 0)
        assert found.drafted_tokens == 11 * 5 + 4 + 3 + 2 + 1


def test_what_comes_after_a_stop_sequence_is_dropped_though_it_was_guessed_right():
    right, _ = generate(tiny_model(), [3, 1], greedy(12))
    draft = Scripted(lambda length: right[length - 2 :])
    for at in range(11):
        params = greedy(12, stop=(tuple(right[at : at + 2]),))
        engine = Watched(tiny_model(), speculation=plan(lambda: draft, FixedLength(5)))
        found = serve(engine, [([3, 1], params, 0)])[0, 0]
        assert found == generate(tiny_model(), [3, 1], params)
        assert found[1] == "stop"


def test_nobody_waits_and_nobody_is_preempted_for_a_guess():
    """A budget that running outputs use up leaves no guesses, and neither does a memory that holds just the outputs."""
    load = [([i, 1, 2, 3], greedy(12), 0) for i in range(3)]
    tight = SchedulerConfig(token_budget=3, max_sequences=3)
    engines = [
        Watched(tiny_model(), EngineConfig(prefix_cache="none", scheduler=tight), speculation=guessed)
        for guessed in (None, plan(DRAFTS["other"], FixedLength(4)))
    ]
    assert [serve(engine, load) for engine in engines] == [alone(load)] * 2
    plain, guessing = (engine.metrics() for engine in engines)
    assert guessing.steps <= plain.steps
    full = Watched(
        tiny_model(),
        EngineConfig(blocks=3 * 15, block_size=1, prefix_cache="none"),
        speculation=plan(DRAFTS["other"], FixedLength(9)),
    )
    assert serve(full, load) == alone(load)
    assert full.metrics().preemptions == {"recompute": 0, "swap": 0}
    assert full.metrics().drafted_tokens > 0


def test_a_runner_that_takes_nothing_back_tests_no_guesses():
    with pytest.raises(ValueError, match="cannot test guesses"):
        Engine(
            tiny_model(),
            EngineConfig(prefix_cache="none"),
            runner=compressed(H2O(3, 4)),
            speculation=plan(DRAFTS["text"], FixedLength(2)),
        )
