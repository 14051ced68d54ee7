"""Drafts, the cache that is rolled back, and how many tokens to draft."""

from __future__ import annotations

import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.papers.speculative import best_gamma, expected_tokens, improvement, operations
from mlsys_core.serving.contiguous import Decoder, cache_bytes
from mlsys_core.serving.drafts import CountDraft, ModelDraft, NGramDraft
from mlsys_core.serving.lengths import AdaptiveLength, FixedLength, Round, regret
from mlsys_core.serving.sampling import GREEDY, SamplingParams
from mlsys_core.workloads.gpt import GPT, GPTConfig

SMALL = GPTConfig(vocab_size=13, context=64, dim=24, layers=2, heads=6, kv_heads=2, ffn=40)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_what_is_read_after_a_rollback_has_the_logits_of_the_whole_text(
    data,
):
    batch = data.draw(st.integers(1, 3))
    model = GPT(SMALL, data.draw(st.integers(0, 99))).double()
    draws = torch.Generator().manual_seed(data.draw(st.integers(0, 10**6)))
    decoder, text = Decoder(model, 24), torch.empty(batch, 0, dtype=torch.long)
    for _ in range(4):
        kept = data.draw(st.integers(0, text.shape[1]))
        decoder.rollback(kept)
        new = torch.randint(13, (batch, data.draw(st.integers(1, 24 - kept))), generator=draws)
        text = torch.cat((text[:, :kept], new), 1)
        found = decoder.extend(new)
        with torch.no_grad():
            assert torch.allclose(found, model(text)[:, kept:], atol=1e-12)
        assert decoder.length == text.shape[1]
        assert decoder.held_bytes == batch * cache_bytes(SMALL, text.shape[1], 8)


def test_a_cache_holds_no_more_than_it_has_room_for_and_keeps_no_more_than_it_has():
    decoder = Decoder(GPT(SMALL), 4)
    decoder.extend(torch.tensor([[1, 2, 3]]))
    with pytest.raises(ValueError, match="room for 4 tokens and 5"):
        decoder.extend(torch.tensor([[1, 2]]))
    for length in (4, -1):
        with pytest.raises(ValueError, match="3 tokens are held"):
            decoder.rollback(length)


def test_a_decoder_leaves_the_model_as_it_was_and_follows_its_weights():
    model = GPT(SMALL, 1)
    text = torch.tensor([[1, 2, 3]])
    before = model(text)
    decoder = Decoder(model, 8)
    decoder.extend(text)
    assert torch.equal(model(text), before)
    with torch.no_grad():
        model.head.weight *= 2
    decoder.rollback(0)
    assert torch.allclose(decoder.extend(text), 2 * before, atol=1e-6)


def test_a_model_drafts_what_it_would_say_itself_whatever_became_of_its_last_draft():
    model = GPT(SMALL, 3).double()
    draft, draws = ModelDraft(model, 40), torch.Generator().manual_seed(0)
    rng = random.Random(0)
    text = [1, 2]
    for count in (3, 1, 5, 0, 4):
        guesses, q = draft.propose(text, count, GREEDY, draws)
        alone = list(text)
        for _ in range(count):
            alone.append(int(model(torch.tensor([alone]))[0, -1].argmax()))
        assert guesses.tolist() == alone[len(text) :]
        assert q.shape == (count, 13)
        text += [*guesses[: rng.randint(0, count)].tolist(), rng.randrange(13)]


def test_a_model_reads_no_token_of_its_draft_again_that_was_kept():
    draft, read = ModelDraft(GPT(SMALL, 3), 40), []
    extend = draft._decoder.extend
    draft._decoder.extend = lambda tokens: read.append(tokens.shape[1]) or extend(tokens)
    text = [1, 2, 3]
    for kept, first in ((3, 3), (1, 1 + 1), (0, 1), (3, 1)):
        guesses, _ = draft.propose(text, 3, GREEDY, torch.Generator())
        # the new token, and of a draft that was kept whole its last, which was never read
        assert read == [first, 1, 1]
        text += [*guesses[:kept].tolist(), (int(guesses[min(kept, 2)]) + 1) % 13]
        read.clear()


def test_a_model_drafts_with_the_temperature_of_the_request():
    model = GPT(SMALL, 3).double()
    _, q = ModelDraft(model, 9).propose([4, 5], 2, SamplingParams(temperature=0.5, top_k=3), torch.Generator())
    with torch.no_grad():
        logits = model(torch.tensor([[4, 5]]))[0, -1]
    top = logits.topk(3)
    assert torch.allclose(q[0][top.indices], torch.softmax(top.values / 0.5, 0))
    assert ((q > 0).sum(-1) == 3).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=30), st.integers(0, 6), st.integers(1, 4))
def test_an_n_gram_draft_is_what_followed_the_longest_latest_match(text, count, longest):
    """By trying every place: the longest match first, of several the latest."""
    guesses, q = NGramDraft(4, longest).propose(text, count, GREEDY, torch.Generator())
    best = max(
        (
            (n, end)
            for n in range(1, longest + 1)
            for end in range(n, len(text))
            if len(text) > n and text[end - n : end] == text[len(text) - n :]
        ),
        default=None,
    )
    assert guesses.tolist() == ([] if best is None else text[best[1] :][:count])
    assert q.shape == (len(guesses), 4)
    assert torch.equal(q.argmax(-1), guesses)
    assert torch.equal(q.sum(-1), torch.ones(len(guesses), dtype=torch.float64))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=40),
    st.lists(st.integers(0, 3), min_size=1, max_size=6),
    st.integers(1, 3),
)
def test_counts_say_what_followed_the_longest_run_that_was_seen(text, tokens, longest):
    guesses, q = CountDraft(text, 4, longest).propose(tokens, 3, SamplingParams(), torch.Generator().manual_seed(0))
    seen = list(tokens)
    for guess, distribution in zip(guesses.tolist(), q, strict=True):
        for n in range(min(longest, len(seen)), -1, -1):
            after = [text[i] for i in range(n, len(text)) if text[i - n : i] == seen[len(seen) - n :]]
            if after:
                break
        frequencies = torch.bincount(torch.tensor(after), minlength=4).double() / len(after)
        assert torch.allclose(distribution, frequencies)
        assert distribution[guess] > 0
        seen.append(guess)


def test_counts_are_sharpened_as_the_model_is():
    draft = CountDraft([0, 1, 0, 1, 0, 2], 3, 1)
    draws = torch.Generator()
    _, q = draft.propose([0], 1, SamplingParams(temperature=0.5), draws)
    assert torch.allclose(q[0], torch.tensor([0.0, 4 / 5, 1 / 5], dtype=torch.float64))
    guesses, q = draft.propose([0], 2, GREEDY, draws)
    assert guesses.tolist() == [1, 0]
    assert q.max() == 1
    assert draft.propose([0], 0, GREEDY, draws)[1].shape == (0, 3)
    with pytest.raises(ValueError, match="at least one token"):
        CountDraft([], 3)


def played(lengths, alphas, seed):
    """Rounds of a text whose tokens are kept with these probabilities, one a round."""
    rng, rounds = random.Random(seed), []
    for alpha in alphas:
        drafted = lengths.next()
        accepted = next((i for i in range(drafted) if rng.random() >= alpha), drafted)
        rounds.append(Round(drafted, accepted))
        lengths.record(rounds[-1])
    return rounds


def speed(rounds, cost):
    return sum(one.accepted + 1 for one in rounds) / sum(one.drafted * cost + 1 for one in rounds)


@pytest.mark.parametrize("cost", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.8, 0.95])
def test_not_knowing_how_often_tokens_are_kept_costs_little(alpha, cost):
    """Within 3 % of the time of the best fixed length, and the rounds of that one have no regret but chance."""
    count = 4000
    adaptive = played(AdaptiveLength(cost), [alpha] * count, 1)
    time = sum(one.drafted * cost + 1 for one in adaptive)
    assert regret(adaptive, alpha, cost) <= 0.03 * time
    best = best_gamma(alpha, cost, 16)
    fixed = [regret(played(FixedLength(best), [alpha] * count, seed), alpha, cost) for seed in range(4)]
    assert abs(sum(fixed) / 4) <= 0.02 * time
    worst = max((1, 16), key=lambda gamma: -improvement(alpha, gamma, cost))
    assert regret(played(FixedLength(worst), [alpha] * count, 2), alpha, cost) > regret(adaptive, alpha, cost)


def test_where_the_text_changes_no_fixed_length_is_as_fast():
    alphas = ([0.95] * 700 + [0.2] * 700) * 3
    found = speed(played(AdaptiveLength(0.1), alphas, 5), 0.1)
    fixed = max(speed(played(FixedLength(gamma), alphas, 5), 0.1) for gamma in range(17))
    assert found > 1.02 * fixed


def test_where_drafting_does_not_pay_one_round_in_twenty_looks_whether_it_does_again():
    lengths = AdaptiveLength(0.3)
    useless = played(lengths, [0.02] * 600, 0)
    assert sum(one.drafted for one in useless[100:]) == pytest.approx(500 / 20, abs=2)
    assert max(one.drafted for one in useless[100:]) == 1
    played(lengths, [0.97] * 3000, 0)
    assert lengths.next() > 3
    assert lengths.alpha > 0.9


@pytest.mark.parametrize("given", [{"cost": -0.1}, {"most": 0}, {"memory": 0.5}, {"probe": 0}])
def test_plans_that_cannot_be_are_refused(given):
    with pytest.raises(ValueError, match="make no plan"):
        AdaptiveLength(**({"cost": 0.1} | given))
    with pytest.raises(ValueError, match="at least 1"):
        NGramDraft(5, 0)


def test_the_formulas_are_sums_of_their_cases():
    """The number of tokens by its distribution; operations and time by what one round takes."""
    for alpha, gamma in ((0.3, 1), (0.62, 7), (0.95, 12), (1.0, 4), (0.0, 3)):
        cases = [alpha**i * (1 - alpha) for i in range(gamma)] + [alpha**gamma]
        tokens = sum((i + 1) * case for i, case in enumerate(cases))
        assert math.isclose(expected_tokens(alpha, gamma), tokens)
        assert math.isclose(improvement(alpha, gamma, 0.1), tokens / (1 + 0.1 * gamma))
        assert math.isclose(operations(alpha, gamma, 0.1), (gamma + 1 + 0.1 * gamma) / tokens)
    assert best_gamma(0.0, 0.0) == 0
    assert best_gamma(0.5, 1.0) == 0
