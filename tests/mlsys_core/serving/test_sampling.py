"""Tokens are drawn from the distribution that was asked for, and depend on the seed alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from mlsys_core.serving.sampling import (
    GREEDY,
    SamplingParams,
    generator_for,
    pick,
    probabilities,
    probabilities_each,
    sample,
)

LOGITS = st.lists(st.integers(-40, 40), min_size=2, max_size=9).map(lambda z: torch.tensor(z) / 8)


def by_hand(logits, params):
    """The same distribution, one token at a time, in plain Python."""
    z = [float(x) / params.temperature for x in logits]
    weights = np.exp(np.array(z) - max(z))
    p = weights / weights.sum()
    order = sorted(range(len(p)), key=lambda i: (-p[i], i))
    if params.top_k:
        order = order[: params.top_k]
    mass = sum(p[i] for i in order)
    kept, total = [], 0.0
    for i in order:
        if total >= params.top_p:
            break
        kept.append(i)
        total += p[i] / mass
    out = np.zeros(len(p))
    out[kept] = p[kept] / p[kept].sum()
    return out


@settings(deadline=None, max_examples=60)
@given(LOGITS, st.sampled_from([0.3, 1.0, 2.5]), st.sampled_from([0.07, 0.52, 0.91, 1.0]), st.integers(0, 10))
def test_temperature_top_k_and_top_p_are_what_their_definitions_say(logits, temperature, top_p, top_k):
    params = SamplingParams(temperature=temperature, top_p=top_p, top_k=top_k)
    np.testing.assert_allclose(probabilities(logits, params), by_hand(logits, params), atol=1e-12)


@given(LOGITS)
@settings(deadline=None, max_examples=30)
def test_temperature_zero_takes_the_first_of_the_largest_logits(logits):
    chosen = int(sample(probabilities(logits, GREEDY), torch.Generator().manual_seed(0)))
    assert chosen == logits.tolist().index(max(logits))


def test_a_batch_gets_row_by_row_what_each_row_gets_alone():
    logits = torch.randn(3, 5, 11, generator=torch.Generator().manual_seed(1))
    params = SamplingParams(temperature=0.7, top_p=0.8, top_k=6)
    whole = probabilities(logits, params)
    for i in range(3):
        for j in range(5):
            torch.testing.assert_close(whole[i, j], probabilities(logits[i, j], params))


def test_in_a_batch_each_is_drawn_by_its_own_rules():
    logits = torch.randn(6, 2, 11, generator=torch.Generator().manual_seed(2))
    rules = [
        SamplingParams(temperature=t, top_p=p, top_k=k) for t, p, k in ((0.7, 0.8, 6), (0.7, 0.8, 0), (1.4, 1.0, 3))
    ]
    mixed = [rules[0], GREEDY, rules[1], rules[0], rules[2], rules[1]]
    for params in (mixed, rules[:1] * 6):
        found = probabilities_each(logits, params)
        assert found.dtype == torch.float64
        for i, one in enumerate(params):
            torch.testing.assert_close(found[i], probabilities(logits[i], one))


def test_draws_follow_the_distribution(held):
    p = probabilities(torch.tensor([0.3, -1.0, 2.0, 0.0, 1.1, -3.0]), SamplingParams(temperature=1.3, top_p=0.97))
    draws = sample(p.expand(100_000, -1), torch.Generator().manual_seed(7))
    counts = torch.bincount(draws, minlength=6).numpy()
    assert (counts[p.numpy() == 0] == 0).all()
    live = p.numpy() > 0
    assert chisquare(counts[live], p.numpy()[live] * 100_000).pvalue > 1e-4


@pytest.mark.parametrize("u", [0.0, 0.5, 1 - 2**-53])
def test_no_number_picks_a_token_without_probability(u):
    p = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    token = pick(p, torch.tensor([u, u], dtype=torch.float64))
    assert token.tolist() == [1 if u == 0 else 3, 2]


def test_the_random_numbers_of_an_output_depend_on_the_seed_and_its_place_only():
    draws = {
        (seed, choice): torch.rand(4, generator=generator_for(seed, choice)).tolist()
        for seed in (0, 1, 2**63)
        for choice in (0, 1)
    }
    assert draws[1, 1] == torch.rand(4, generator=generator_for(1, 1)).tolist()
    assert len({tuple(d) for d in draws.values()}) == 6


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"max_tokens": 0}, "nothing to generate"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"n": 0}, "outputs"),
        ({"stop": ((),)}, "empty stop"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(wrong, words):
    with pytest.raises(ValueError, match=words):
        SamplingParams(**wrong)
