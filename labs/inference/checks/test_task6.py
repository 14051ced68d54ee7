"""Task 6, public checks: rows of samples, greedy rows, a draft that is the target, and a prediction."""

from __future__ import annotations

import numpy as np
import pytest
import speculation_oracle as oracle
from answers import number

pytestmark = pytest.mark.task("6")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Compare accept_u · q with p place by place; a row stops at its first refusal and draws from max(p - q, 0) there.",
    handout="2.21",
)
def test_rows_of_samples(student, rng, expect):
    """verify: 200 rows with two drafted tokens each"""
    target, draft = (np.stack([oracle.law(rng, 5) for _ in range(n)]) for n in (3, 2))
    call = oracle.rows_of(rng, target, draft, 200)
    oracle.check_rows(expect, student.call("verified", **call), call)


@pytest.mark.points(1)
@pytest.mark.hint(
    "The accepted tokens are the target's own choices, so the row of argmaxes is the answer up to the first difference, that one included.",
    handout="2.22",
)
def test_greedy_rows(student, rng, expect):
    """verify_greedily: 200 rows with three drafted tokens each"""
    logits = rng.integers(0, 4, size=(200, 4, 3)).astype(float)
    drafted = np.where(rng.random((200, 3)) < 0.7, logits[:, :3].argmax(axis=2), rng.integers(0, 3, size=(200, 3)))
    got = student.call("greedy_verified", logits=logits, drafted=drafted)
    accepted, tokens = oracle.check_pair(expect, got, 200, 3, 3)
    for row in range(200):
        best = logits[row].argmax(axis=1)
        count = next((i for i in range(3) if drafted[row, i] != best[i]), 3)
        expect.that(accepted[row] == count, f"row {row} accepts {accepted[row]} tokens, expected {count}")
        same = tokens[row].tolist() == [*best[: count + 1].tolist(), *[-1] * (3 - count)]
        expect.that(same, f"row {row}: tokens {tokens[row].tolist()} for the best ones {best.tolist()}")


@pytest.mark.points(1)
@pytest.mark.hint(
    "With p = q everything is accepted, and one token more is drawn from the target's last distribution.",
    handout="2.21",
)
def test_a_draft_that_is_the_target(student, rng, expect):
    """verify: all tokens are accepted, and the bonus token follows its own law"""
    target = np.stack([oracle.law(rng, 6) for _ in range(4)])
    call = oracle.rows_of(rng, target, target[:3].copy(), 300)
    got = student.call("verified", **call)
    accepted, _ = oracle.check_pair(expect, got, 300, 3, 6)
    expect.that(
        (accepted == 3).all(), f"{(accepted < 3).sum()} of 300 rows refuse a token, and draft and target are equal"
    )
    oracle.check_rows(expect, got, call)


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "A token is accepted with probability α = Σ min(p, q), and place i is reached when all before it were accepted.",
    handout="2.23",
)
def test_prediction_of_tokens(student, rng, expect, measure):
    """Tokens that a step yields, as predicted and as counted"""
    gamma, p = int(rng.integers(2, 6)), oracle.law(rng, 8)
    q = oracle.draft_of(rng, p, float(rng.uniform(0.5, 0.9)))
    arguments = {"p": p, "q": q, "gamma": gamma}
    said = student.call("predicted", function="predict_tokens_per_step", arguments=arguments)
    predicted = number(expect, said, "the prediction")
    call = oracle.rows_of(rng, np.tile(p, (gamma + 1, 1)), np.tile(q, (gamma, 1)), 20_000)
    got = student.call("verified", **call)
    accepted, _ = oracle.check_pair(expect, got, 20_000, gamma, 8)
    oracle.check_rows(expect, got, call)
    measure.prediction("tokens a step", predicted, float(accepted.mean()) + 1, tolerance=0.03, zero_at=1.5)
