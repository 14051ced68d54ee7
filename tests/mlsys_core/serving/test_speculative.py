"""Speculative decoding gives the model's distribution: by chi-square against it, by equality where nothing is random, by its own formula.

The chi-square tests draw 200,000 pairs of tokens and fail a right sampler once in 10,000 times. A bias of w = 0.022 over 64 pairs is
found 99 times in 100, which is a total variation of at most 1.1 %.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.papers.speculative import expected_tokens
from mlsys_core.serving.drafts import CountDraft, ModelDraft, NGramDraft
from mlsys_core.serving.goodness import LEVEL, bias, p_value, smallest_bias
from mlsys_core.serving.lengths import AdaptiveLength, FixedLength
from mlsys_core.serving.sampling import GREEDY, SamplingParams, generator_for, pick, probabilities, sample
from mlsys_core.serving.speculative import acceptance_rate, residual, speculate, verify
from mlsys_core.workloads import small_model, text
from mlsys_core.workloads.gpt import GPT, GPTConfig

VOCABULARY, SAMPLES = 8, 200_000
LEVELS = (0.2, 0.5, 0.7, 0.9, 1.0)
SMALL = GPTConfig(vocab_size=11, context=64, dim=32, layers=2, heads=4, kv_heads=2, ffn=48)


def chains(level, seed):
    """Next-token tables (V, V) of a model and of a draft, by the token before: every row is kept with probability `level`.

    Each row of the model has four frequent tokens, three rare ones, and one that never comes; the draft is a mixture of it and of
    another row that prefers the latter four, in the proportion that gives the level.
    """
    rng = np.random.default_rng(seed)
    p, r = (np.stack([rng.dirichlet(np.full(4, 2.0), VOCABULARY) for _ in range(2)], 1) for _ in range(2))
    p, r = ((x * np.array(part)[:, None]).reshape(VOCABULARY, -1) for x, part in ((p, (0.9, 0.1)), (r, (0.08, 0.92))))
    p[:, -1] = 0.0
    p /= p.sum(1, keepdims=True)
    order = rng.permutation(VOCABULARY)
    p, r = p[:, order], r[:, order]
    apart = np.abs(p - r).sum(1, keepdims=True) / 2
    return torch.tensor(p), torch.tensor(p + (1 - level) / apart * (r - p))


def pairs(p, q, gamma, seed, check):
    """The first two tokens after token 0, of SAMPLES texts at once, in as many rounds as it takes: counts (V, V)."""
    draws = torch.Generator().manual_seed(seed)
    last, count = torch.zeros(SAMPLES, dtype=torch.long), torch.zeros(SAMPLES, dtype=torch.long)
    text = torch.zeros(SAMPLES, 2 + gamma + 1, dtype=torch.long)
    while (short := (count < 2).nonzero()[:, 0]).numel():
        before, drafted = [last[short]], []
        for _ in range(gamma):
            drafted.append(sample(q[before[-1]], draws))
            before.append(drafted[-1])
        guesses = torch.stack(drafted, 1)
        accepted, token = check(p[torch.stack(before, 1)], q[torch.stack(before[:-1], 1)], guesses, draws)
        new = torch.cat((guesses, token[:, None]), 1)
        new[torch.arange(len(short)), accepted] = token
        for place in range(gamma + 1):
            on = place <= accepted
            text[short[on], count[short[on]] + place] = new[on, place]
        count[short] += accepted + 1
        last[short] = token
    return torch.bincount(text[:, 0] * VOCABULARY + text[:, 1], minlength=VOCABULARY**2).numpy()


def right_pairs(p):
    return (p[0][:, None] * p).flatten().numpy()


@pytest.mark.parametrize("level", LEVELS)
def test_pairs_of_tokens_have_the_models_distribution_at_every_level_of_acceptance(level):
    p, q = chains(level, int(100 * level))
    assert torch.allclose(acceptance_rate(p, q), torch.tensor(level, dtype=torch.float64))
    assert p_value(pairs(p, q, 2, 1, verify), right_pairs(p)) > LEVEL


def not_renormalized(p, q, drafted, draws):
    """A known fault: what is missing is used as if it were a distribution, so that its last token gets all that is not."""
    accepted, token = verify(p, q, drafted, draws)
    missing = (p[:, :-1] - q).clamp(min=0)
    missing[..., -1] += 1 - missing.sum(-1)
    rows, refused = torch.arange(len(p)), accepted < drafted.shape[1]
    wrong = pick(missing[rows, accepted.clamp(max=drafted.shape[1] - 1)], torch.rand(len(p), generator=draws))
    return accepted, wrong.where(refused, token)


def from_the_model_again(p, q, drafted, draws):
    """A known fault: a refused token is replaced by one of the model's distribution."""
    accepted, _ = verify(p, q, drafted, draws)
    return accepted, sample(p[torch.arange(len(p)), accepted], draws)


def no_token_for_free(p, q, drafted, draws):
    """A known fault: after drafts that were all kept, the last one's distribution is used again."""
    accepted, _ = verify(p, q, drafted, draws)
    return accepted, sample(p[torch.arange(len(p)), accepted.clamp(max=drafted.shape[1] - 1)], draws)


@pytest.mark.parametrize("fault", [not_renormalized, from_the_model_again, no_token_for_free])
def test_the_same_test_finds_known_faults(fault):
    p, q = chains(0.7, 70)
    counts = pairs(p, q, 1, 1, fault)
    assert p_value(counts, right_pairs(p)) < 1e-12
    assert bias(right_pairs(p), counts / SAMPLES) > 2 * smallest_bias(SAMPLES, VOCABULARY**2)


def test_a_bias_as_small_as_is_promised_is_found_and_a_right_sampler_passes():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(64, 2.0)) * 0.9 + 0.1 / 64
    w = smallest_bias(SAMPLES, 64)
    assert w == pytest.approx(0.0223, abs=5e-4)
    away = rng.standard_normal(64) * np.sqrt(p)
    away -= p * away.sum()
    wrong = p + away * w / bias(p, p + away)
    assert bias(p, wrong) == pytest.approx(w)
    assert np.abs(wrong - p).sum() / 2 <= w / 2
    found = sum(p_value(rng.multinomial(SAMPLES, wrong), p) < LEVEL for _ in range(300))
    assert found >= 300 * 0.99 - 3 * math.sqrt(300 * 0.99 * 0.01) - 1
    assert sum(p_value(rng.multinomial(SAMPLES, p), p) < LEVEL for _ in range(300)) <= 1
    assert p_value([5, 1], [1.0, 0.0]) == 0


@pytest.mark.parametrize("gamma", [1, 4])
@pytest.mark.parametrize("level", LEVELS)
def test_tokens_a_round_are_those_of_the_formula_within_three_sigma(level, gamma):
    rounds = 100_000
    p, q = (table[0] for table in chains(level, 3))
    draws = torch.Generator().manual_seed(gamma)
    drafted = sample(q.expand(rounds, gamma, -1), draws)
    accepted, _ = verify(p.expand(rounds, gamma + 1, -1), q.expand(rounds, gamma, -1), drafted, draws)
    if level == 1:
        assert (accepted == gamma).all()
    tokens = accepted.double() + 1
    assert abs(tokens.mean() - expected_tokens(level, gamma)) <= 3 * tokens.std() / math.sqrt(rounds)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 9))
def test_corners_of_distributions_with_zeros(seed, gamma, vocabulary):
    """Tokens that the model never says are never said, and a draft that is the model is never refused."""
    rng = np.random.default_rng(seed)
    p, q = (rng.dirichlet(np.full(vocabulary, 0.4), (50, gamma + 1)) for _ in range(2))
    p[rng.random(p.shape) < 0.4] = 0
    p[..., 0] += 1e-3
    p, q = torch.tensor(p / p.sum(-1, keepdims=True)), torch.tensor(q[:, :gamma])
    draws = torch.Generator().manual_seed(seed)
    drafted = sample(q, draws)
    accepted, token = verify(p, q, drafted, draws)
    rows = torch.arange(50)
    assert (p[rows, accepted, token] > 0).all()
    refused = accepted < gamma
    places = accepted.clamp(max=gamma - 1)
    assert (token != drafted[rows, places])[refused].all()
    for place in range(gamma):
        kept = accepted > place
        assert (p[rows, place].gather(1, drafted[:, place, None])[:, 0][kept] > 0).all()
    assert torch.allclose(residual(p[:, :gamma], q).sum(-1), torch.ones(50, gamma, dtype=torch.float64))
    assert torch.equal(residual(p, p), p)
    same, _ = verify(p, p[:, :gamma], sample(p[:, :gamma], draws), draws)
    assert (same == gamma).all()


def test_what_is_kept_and_what_replaces_it_add_up_to_the_model(held):
    rng = np.random.default_rng(4)
    p, q = (torch.tensor(rng.dirichlet(np.full(9, 0.5), 100)) for _ in range(2))
    sums = torch.minimum(p, q) + (1 - acceptance_rate(p, q))[:, None] * residual(p, q)
    held("speculative: kept + replaced", "p", sums, p, 1e-14)


def plain(model, prompt, params):
    """One token a pass of the whole text, with the engine's own sampling and no cache."""
    tokens, draws = list(prompt), generator_for(params.seed or 0)
    for _ in range(params.max_tokens):
        with torch.no_grad():
            tokens.append(int(sample(probabilities(model(torch.tensor([tokens]))[0, -1], params), draws)))
    return tokens[len(prompt) :]


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    prompt=st.lists(st.integers(0, 10), min_size=1, max_size=9),
    gamma=st.integers(0, 6),
    kind=st.sampled_from(["itself", "near", "other", "text"]),
    count=st.integers(1, 14),
)
def test_greedy_tokens_are_those_of_plain_generation(seed, prompt, gamma, kind, count):
    model, other = GPT(SMALL, seed).double(), GPT(SMALL, seed + 1).double()
    near = GPT(SMALL, seed).double()
    with torch.no_grad():
        for weight in near.parameters():
            weight.add_(0.01 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)))
    models = {"itself": model, "near": near, "other": other}
    draft = NGramDraft(SMALL.vocab_size) if kind == "text" else ModelDraft(models[kind], len(prompt) + count)
    params = SamplingParams(max_tokens=count, temperature=0.0)
    found = speculate(model, draft, prompt, FixedLength(gamma), params)
    assert found.tokens == plain(model, prompt, params)
    assert sum(one.accepted + 1 for one in found.rounds) == count
    if kind == "itself":
        assert all(one.accepted == one.drafted for one in found.rounds)
        assert len(found.rounds) == math.ceil(count / (gamma + 1))
        assert found.tokens_per_round == count / len(found.rounds)


def test_the_trained_model_writes_the_same_with_drafts_of_an_adapted_length_in_half_of_the_passes():
    model, letters = small_model.load(dtype=torch.float64), small_model.VOCABULARY()
    prompt = letters.encode("ROMEO:\n").tolist()
    draft = CountDraft(letters.encode(text.load()[:20_000]).tolist(), len(letters))
    params, lengths = SamplingParams(max_tokens=48, temperature=0.0), AdaptiveLength(0.05)
    found = speculate(model, draft, prompt, lengths, params)
    assert found.tokens == speculate(model, draft, prompt, FixedLength(0), params).tokens
    assert found.tokens_per_round > 2
    kept, refused = (sum(one.accepted for one in found.rounds), sum(one.accepted < one.drafted for one in found.rounds))
    assert lengths.alpha == pytest.approx((kept + 1) / (kept + refused + 2), abs=0.05)


@pytest.mark.parametrize("draft", ["model", "text"])
def test_a_sampled_text_has_the_models_distribution(draft):
    """Transitions of one text of 700 tokens of a model that looks at the last token only, with a cut and a temperature."""
    config = GPTConfig(vocab_size=4, dim=8, layers=1, heads=2, kv_heads=1, ffn=8)
    model, small = GPT(config, 1).double(), GPT(config, 2).double()
    params = SamplingParams(max_tokens=700, temperature=1.3, top_p=0.97, seed=3)
    with torch.no_grad():
        for one in (model, small):
            one.embed.weight *= 30
            one.head.weight *= 30
            one.blocks[0].attn.o_proj.weight.zero_()
        table = probabilities(model(torch.arange(4)[:, None])[:, 0], params)
    guess = ModelDraft(small, 701) if draft == "model" else NGramDraft(4)
    found = speculate(model, guess, [0], FixedLength(2), params)
    assert 0.1 < sum(one.accepted for one in found.rounds) / sum(one.drafted for one in found.rounds) < 0.95
    tokens = torch.tensor([0, *found.tokens])
    counts = torch.bincount(4 * tokens[:-1] + tokens[1:], minlength=16).view(4, 4)
    assert (table > 0).sum(1).max() >= 3
    for row, expected in zip(counts, table, strict=True):
        assert p_value(row, expected) > LEVEL


def test_an_output_ends_before_its_stop_sequence_wherever_that_lies_in_a_round():
    model = GPT(SMALL, 5).double()
    whole = plain(model, [3, 1], SamplingParams(max_tokens=12, temperature=0.0))
    for length in (1, 2):
        for at in range(12 - length):
            stop = tuple(whole[at : at + length])
            first = next(i for i in range(12) if tuple(whole[i : i + length]) == stop)
            params = SamplingParams(max_tokens=12, temperature=0.0, stop=(stop, (10, 10, 10)))
            found = speculate(model, ModelDraft(model, 14), [3, 1], FixedLength(4), params)
            assert found.tokens == whole[:first]


def test_a_seed_decides_the_tokens_and_its_absence_does_not():
    model = GPT(SMALL, 5)
    texts = [
        speculate(model, NGramDraft(11), [1, 2, 1], FixedLength(2), SamplingParams(max_tokens=20, seed=seed)).tokens
        for seed in (1, 1, 2, None, None)
    ]
    assert texts[0] == texts[1]
    assert len({tuple(text) for text in texts}) == 4


def test_requests_that_cannot_be_are_refused():
    model = GPT(SMALL)
    for prompt, params in (([], GREEDY), ([1], SamplingParams(n=2))):
        with pytest.raises(ValueError, match="One output"):
            speculate(model, NGramDraft(11), prompt, FixedLength(1), params)
