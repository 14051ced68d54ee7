"""Task 6, hidden checks: the law of what is kept, corners, tokens a step, whole answers, and the choice of γ."""

from __future__ import annotations

import numpy as np
import pytest
import speculation_oracle as oracle
from answers import field
from hidden import laws

pytestmark = [pytest.mark.task("6"), pytest.mark.hidden]
ROWS, VOCABULARY = 40_000, 8
# how much the draft's logits differ from the target's, γ, and the length of the answer
CASES = ((0.0, 4, 21), (0.2, 3, 40), (0.5, 1, 17), (0.4, 6, 2), (0.4, 5, 30), (3.0, 4, 12), (0.3, 0, 9), (0.1, 8, 1))


@pytest.mark.points(2.5)
@pytest.mark.hint(
    "Drawing from p instead of max(p - q, 0) after a refusal gives too often what the draft likes: add up both ways to a token.",
    handout="2.21",
)
def test_the_law_of_what_is_kept(student, rng, expect):
    """verify: 40,000 rows at each of five levels of acceptance, places by chi-square"""
    for rate in (0.1, 0.3, 0.5, 0.7, 0.9):
        target = np.stack([oracle.law(rng, VOCABULARY) for _ in range(2)])
        draft = np.stack([oracle.draft_of(rng, target[0], rate)])
        call = laws.fair_rows(rng, target, draft, ROWS)
        _, tokens = oracle.check_pair(expect, student.call("verified", **call), ROWS, 1, VOCABULARY)
        for place, chance in enumerate(oracle.tails(tokens, target)):
            told = f"at an acceptance of {rate} the tokens in place {place} do not follow the target: p = {chance:.1g}"
            expect.that(chance > 1e-4, told)


@pytest.mark.points(1)
@pytest.mark.hint(
    "p = 0 is never accepted, not even for u = 0; with γ = 0 there is nothing to accept, and the bonus token is all.",
    handout="2.21",
)
def test_corners_of_sampling(student, rng, expect):
    """verify: distributions with zeros, certain tokens, u = 0, no draft, one row, other laws in each row"""
    sparse = [
        np.where(rng.random(VOCABULARY) < 0.5, oracle.law(rng, VOCABULARY), 0.0) + np.eye(VOCABULARY)[i]
        for i in range(5)
    ]
    sparse = [one / one.sum() for one in sparse]
    calls = [oracle.rows_of(rng, np.stack(sparse[:3]), np.stack(sparse[3:]), 300)]
    calls.append(calls[0] | {"accept_u": np.zeros((300, 2)), "sample_u": np.zeros(300)})
    certain = np.eye(4)
    calls.append(oracle.rows_of(rng, certain[[1, 2, 3]], certain[[1, 0]], 5))
    calls.append(oracle.rows_of(rng, np.stack(sparse[:1]), np.zeros((0, VOCABULARY)), 40))
    calls.append(oracle.rows_of(rng, np.stack(sparse[:4]), np.stack(sparse[:3]), 1))
    drawn = rng.gamma(0.5, size=(150, 7, VOCABULARY))
    drawn /= drawn.sum(axis=2, keepdims=True)
    rows = {"target": drawn[:, :4], "draft": drawn[:, 4:], "drafted": rng.integers(0, VOCABULARY, size=(150, 3))}
    calls.append(rows | {"accept_u": rng.random((150, 3)) ** 2, "sample_u": rng.random(150)})
    for call in calls:
        got = student.call("verified", **call)
        oracle.check_rows(expect, got, call)
        expect.that(field(expect, got, "kept") is True, "verify changed an array that it was given")


@pytest.mark.points(1)
@pytest.mark.hint(
    "A step always yields one token more than it accepts; what stands behind the first refusal counts for nothing.",
    handout="2.23",
)
def test_tokens_of_a_step(student, rng, expect):
    """verify: the mean number of tokens a step, within three standard errors of the formula"""
    for rate, gamma in ((0.3, 2), (0.6, 4), (0.85, 6)):
        p = oracle.law(rng, VOCABULARY)
        q = oracle.draft_of(rng, p, rate)
        call = laws.fair_rows(rng, np.tile(p, (gamma + 1, 1)), np.tile(q, (gamma, 1)), 30_000)
        accepted, _ = oracle.check_pair(expect, student.call("verified", **call), 30_000, gamma, VOCABULARY)
        far = oracle.sigmas(accepted, float(np.minimum(p, q).sum()), gamma)
        expect.that(abs(far) <= 3, f"α = {rate}, γ = {gamma}: the mean is {far:.1f} standard errors from the formula")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Draft from everything that is known, and ask the target for one row more than there are drafted tokens; never write beyond length.",
    handout="2.22",
)
def test_whole_answers(student, rng, expect):
    """generate: the target's own answer, in as few calls of the target as the draft allows"""
    for noise, gamma, length in CASES:
        draft, target = oracle.tables(rng, 24, noise)
        prompt = [int(one) for one in rng.integers(0, 24, size=int(rng.integers(2, 5)))]
        want = oracle.written(target, prompt, length)
        call = {"draft": draft, "target": target, "prompt": prompt, "length": length, "gamma": gamma}
        got = student.call("generated_greedily", **call)
        expect.equal(field(expect, got, "tokens"), want, what=f"the answer with γ = {gamma}")
        steps = oracle.steps_needed(draft, want, prompt, gamma)
        calls, drafts = (field(expect, got, name) for name in ("target", "draft"))
        whole = type(calls) is int and type(drafts) is int
        expect.that(whole and calls <= steps, f"the target was called {calls} times, and {steps} are enough")
        expect.that(calls * (gamma + 1) >= length, f"{calls} calls of the target cannot give {length} tokens")
        expect.that(drafts <= gamma * steps, f"the draft was called {drafts} times in {steps} steps with γ = {gamma}")


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "Estimate α from what was tried, which ends at the first refusal, put it into tokens over time, and forget slowly.",
    handout="2.23",
)
def test_the_choice_of_gamma(student, rng, expect, measure):
    """Speed of the best fixed γ over that of GammaChooser, for good, middling, poor and changing drafts"""
    steps, longest, losses = 250, 8, []
    changing = np.repeat([0.9, 0.15], steps // 2)
    cases = [(0.05, 0.9), (0.05, 0.55), (0.25, 0.75), (0.3, 0.15), (0.15, changing), (0.15, changing[::-1])]
    for cost, rate in cases:
        run = oracle.DraftedRun(rng, np.broadcast_to(rate, steps), cost, longest)
        student.call("new_chooser", cost=cost, longest=longest)
        observed, gammas = [], []
        for step in range(steps):
            gamma = student.call("gamma_choice", observed=observed)
            good = type(gamma) is int and 0 <= gamma <= longest
            expect.that(good, f"choose returned {str(gamma)[:40]}, no number from 0 to {longest}")
            observed = [[gamma, run.accepted(step, gamma)]]
            gammas.append(gamma)
        losses.append(np.log(run.best_fixed() / run.speed(np.array(gammas))))
    measure.ratio("speed of the best fixed γ / yours", float(np.exp(np.mean(losses))), full_at=1.03, zero_at=1.3)
