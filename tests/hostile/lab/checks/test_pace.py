from __future__ import annotations

import pytest

ROUNDS, STEPS = 5, 40_000


@pytest.mark.task("2")
@pytest.mark.points(4)
@pytest.mark.measured
@pytest.mark.hint("Do no more in the loop than the rule says.", handout="1.2")
def test_follows(student, reference, rng, expect, measure):
    """follows a rule for many steps, at the reference's pace"""
    starts = [int(n) for n in rng.integers(1, 1 << 30, size=ROUNDS + 1)]
    got, want = [], []

    def run(program, answers):
        answers.append(program.call("follow", start=starts[len(answers)], steps=STEPS))

    pace = measure.interleaved(
        lambda: run(student, got), lambda: run(reference, want), rounds=ROUNDS, of=(student, reference)
    )
    for mine, theirs in zip(got, want, strict=True):  # each timed answer, not the last one only
        expect.equal(mine, theirs, what="the number after the last step")
    measure.ratio(
        "time, against the reference's",
        pace.ratio,
        full_at=5,
        zero_at=15,
        low=pace.low,
        high=pace.high,
        samples=pace.samples,
    )
