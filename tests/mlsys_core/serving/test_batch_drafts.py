"""One pass of a draft model for all texts drafts what each alone would get, and keeps what is right and nothing else."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.serving.batch_drafts import Ask, ModelDrafts
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.draft_cost import measured_cost
from mlsys_core.serving.drafts import ModelDraft, NGramDraft
from mlsys_core.serving.engine import Engine
from mlsys_core.serving.graph_runner import runner_for
from mlsys_core.serving.lengths import AdaptiveLength, FixedLength, Round
from mlsys_core.serving.sampling import GREEDY, SamplingParams
from mlsys_core.serving.scheduler import SchedulerConfig
from mlsys_core.serving.speculative_batch import Speculation
from mlsys_core.workloads.gpt import GPT
from tests.mlsys_core.serving.loads import alone, serve
from tests.mlsys_core.serving.one_by_one import TINY, tiny_model

RULES = (GREEDY, SamplingParams(temperature=0.7, top_k=4), SamplingParams(temperature=1.3, top_p=0.9))


def numbers(seed):
    return torch.Generator().manual_seed(seed)


def asks(texts, counts, params=GREEDY):
    return [Ask(i, text, n, params, numbers(i)) for (i, text), n in zip(texts.items(), counts, strict=True)]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([1, 2, 5]))
def test_each_text_gets_the_guesses_that_a_draft_of_its_own_would_make(seed, texts, size):
    """Over rounds in which some are not asked, some are preempted, and any number of guesses becomes the text."""
    rng = random.Random(seed)
    together = ModelDrafts(tiny_model(1), EngineConfig(blocks=200, block_size=size))
    single = [ModelDraft(tiny_model(1), TINY.context) for _ in range(texts)]
    said = [[rng.randrange(11) for _ in range(rng.randint(1, 7))] for _ in range(texts)]
    for _ in range(5):
        chosen = sorted(rng.sample(range(texts), rng.randint(1, texts)))
        draws, counts = rng.randrange(10**6), [rng.randint(0, 4) for _ in chosen]
        found = together.propose(
            [Ask(i, said[i], n, RULES[i % 3], numbers(draws + i)) for i, n in zip(chosen, counts, strict=True)]
        )
        for i, n, (guesses, q) in zip(chosen, counts, found, strict=True):
            expected, distributions = single[i].propose(said[i], n, RULES[i % 3], numbers(draws + i))
            assert guesses.tolist() == expected.tolist()
            torch.testing.assert_close(q, distributions, rtol=1e-9, atol=1e-12)
            said[i] += [*guesses[: rng.randint(0, n)].tolist(), rng.randrange(11)]
        if rng.random() < 0.3:
            together.forget(rng.choice(chosen))
    for i in range(texts):
        together.forget(i)
    assert not together.blocks.tables
    assert together.blocks.available == 200


def test_a_token_of_all_texts_takes_one_pass_and_what_was_read_is_not_read_again():
    drafts, read = ModelDrafts(tiny_model(), EngineConfig()), []
    run = drafts._runner.run
    drafts._runner.run = lambda batch, blocks: read.append([work.count for work in batch.works]) or run(batch, blocks)
    texts = {0: [1, 2, 3], 1: [4], 2: [5, 6]}
    first = drafts.propose(asks(texts, (3, 1, 2)))
    assert read == [[3, 1, 2], [1, 1], [1]]
    for (text, (guesses, _)), kept in zip(zip(texts.values(), first, strict=True), (1, 1, 0), strict=True):
        text += [*guesses[:kept].tolist(), (int(guesses[min(kept, len(guesses) - 1)]) + 1) % 11]
    read.clear()
    drafts.propose(asks(texts, (2, 2, 2)))
    # the new token, and of the second text, all of whose guesses were kept, the one that had not been read
    assert read == [[1, 2, 1], [1, 1, 1]]


def test_outputs_of_one_request_find_what_the_draft_has_read_of_their_prompt():
    drafts = ModelDrafts(tiny_model(), EngineConfig(block_size=2))
    drafts.propose(asks({0: [1, 2, 3, 4, 5]}, (2,)))
    drafts.propose(asks({1: [1, 2, 3, 4, 5, 6], 2: [1, 2, 3, 9]}, (2, 2)))
    assert drafts.blocks.hit_tokens == 4 + 2


def test_a_text_for_which_the_draft_has_no_room_gets_no_guesses_and_holds_nothing():
    """Four blocks of one token: a text of three and two guesses, of which the last is not read, are four."""
    drafts = ModelDrafts(tiny_model(), EngineConfig(blocks=4, block_size=1))
    (first, _), (second, q) = drafts.propose(asks({0: [1, 2, 3], 1: [4]}, (2, 1)))
    assert (len(first), len(second), q.shape) == (2, 0, (0, 11))
    assert list(drafts.blocks.tables) == [0]
    drafts.forget(0)
    assert [len(g) for g, _ in drafts.propose(asks({0: [1, 2, 3], 1: [4]}, (0, 4)))] == [0, 4]


@pytest.mark.parametrize("preemption", ["recompute", "swap"])
def test_the_draft_keeps_nothing_of_outputs_that_are_preempted_or_aborted(preemption):
    limits = SchedulerConfig(token_budget=40, max_sequences=4, preemption=preemption)
    config = EngineConfig(blocks=14, block_size=2, swap_blocks=40, prefix_cache="none", scheduler=limits)
    engine = Engine(tiny_model(), config, speculation=Speculation(tiny_model(1), lambda: FixedLength(2)))
    params = SamplingParams(max_tokens=20, temperature=0.0)
    for i in range(4):
        engine.add_request([i, 1, 2], params)
    engine.step()
    held = engine.speculator.drafts.blocks
    assert len(held.tables) > 1
    while not sum(engine.scheduler.preemptions.values()):
        engine.step()
    assert set(held.tables) == {sequence.id for sequence in engine.scheduler.running}
    for i in range(4):
        engine.abort(i)
    assert not held.tables
    assert held.available == config.blocks


@pytest.mark.parametrize("other", [{"vocab_size": 12}, {"context": 47}])
def test_a_draft_of_other_tokens_or_shorter_texts_is_refused(other):
    draft = GPT(replace(TINY, **other))
    with pytest.raises(ValueError, match="take a draft of the same tokens"):
        Engine(tiny_model(), speculation=Speculation(draft, lambda: FixedLength(1)))


class Paced:
    """Seconds that pass only where the model reads, 1 a step and 1/4 a token of it, and where a text is drafted for, 1/2 a guess."""

    def __init__(self):
        self.now = 0.0

    def runner(self, model, config):
        steps = runner_for(model, config)
        run = steps.run

        def paced(batch, blocks):
            self.now += 1 + batch.tokens / 4
            return run(batch, blocks)

        steps.run = paced
        return steps

    def draft(self):
        paced, draft = self, ModelDraft(tiny_model(1), TINY.context)

        class Slow:
            def propose(self, tokens, count, *rest):
                paced.now += count / 2
                return draft.propose(tokens, count, *rest)

        return Slow()

    def engine(self, speculation, seats=8):
        config = EngineConfig(scheduler=SchedulerConfig(token_budget=64, max_sequences=seats))
        return Engine(tiny_model(), config, runner=self.runner, speculation=speculation, clock=lambda: self.now)


def test_the_cost_of_a_guess_is_what_a_step_takes_longer_for_it():
    """A step of n takes 1 + n/4 and each guess for all of them 3n/4: c = 3n / (n + 4)."""
    paced = Paced()
    for gamma in (1, 3):
        cost = measured_cost(paced.engine, paced.draft, [[i, 1] for i in range(8)], (1, 4, 8), gamma=gamma, steps=5)
        assert [cost(n) for n in (1, 4, 8)] == pytest.approx([3 / 5, 12 / 8, 24 / 12])
        assert cost(6) == pytest.approx((12 / 8 + 24 / 12) / 2)
        assert (cost(20), cost(0)) == (cost(8), cost(1))


def test_what_does_not_guess_in_each_step_gives_no_measure():
    with pytest.raises(ValueError, match="3 outputs had less than 1 drafted"):
        measured_cost(lambda plan: Paced().engine(plan, seats=2), Paced().draft, [[1]] * 3, (3,))
    with pytest.raises(ValueError, match="1 outputs had less than 1 drafted"):
        measured_cost(Paced().engine, lambda: NGramDraft(11), [[1]], (1,))


@pytest.mark.parametrize("alpha", [0.3, 0.6, 0.9])
def test_no_tokens_are_drafted_where_fewer_are_kept_than_a_guess_costs(alpha):
    """Corollary 3.9: some number pays where α > c, and none where it is not."""
    lengths, rng = AdaptiveLength(0.0, memory=10_000), random.Random(0)
    for _ in range(4000):
        lengths.record(Round(1, int(rng.random() < alpha)))
    assert lengths.alpha == pytest.approx(alpha, abs=0.03)
    assert lengths.next(lengths.alpha + 0.01) == 0
    assert lengths.next(lengths.alpha - 0.01) > 0
    assert lengths.next(0.01) > lengths.next(alpha / 2)
    assert lengths.next() == 16, "without a cost its own counts, which is 0"


def test_guesses_stop_while_so_many_are_there_that_none_pays_and_come_back():
    """The draft is always right, so a guess that costs a fifth of a step pays, and one that costs two does not, but for probes."""
    plan = Speculation(tiny_model(), lambda: AdaptiveLength(0.0, most=3, probe=10), lambda n: 0.2 if n == 1 else 2.0)
    engine = Engine(tiny_model(), speculation=plan)
    load = [([i, 1], SamplingParams(max_tokens=20 if i else 40, temperature=0.0), 0) for i in range(4)]
    for prompt, params, _ in load:
        engine.add_request(prompt, params)
    while len(engine.scheduler) > 1 or not engine.metrics().steps:
        engine.step()
    crowd = replace(engine.metrics())
    assert 0 < crowd.drafted_tokens <= 4 * crowd.steps / 10
    while engine.busy:
        engine.step()
    rest = engine.metrics()
    assert (rest.drafted_tokens - crowd.drafted_tokens) / (rest.steps - crowd.steps) > 2
    again = Engine(tiny_model(), speculation=plan)
    assert serve(again, load) == alone(load)
