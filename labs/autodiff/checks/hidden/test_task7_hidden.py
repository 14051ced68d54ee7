"""Task 7, hidden checks: the loss curve of 50 steps against the course library's engine, causality, and the speed of training."""

from __future__ import annotations

import model
import numpy as np
import pytest
from answers import all_close, field, listed
from hidden.library import oracle
from test_task7 import check_slopes, small

pytestmark = [pytest.mark.task("7"), pytest.mark.hidden]

STEPS, LR = 50, 3e-3


@pytest.mark.points(1)
@pytest.mark.hint(
    "Two paths that meet add up, whichever is longer; and a weight that the loss does not depend on gets zeros of its shape.",
    handout="1.23",
)
def test_gradients_where_paths_meet(student, rng, expect):
    """gradients_of: values used twice, and weights that are not used"""
    call = small(rng)
    got = student.call("transformer_gradients", **call)
    check_slopes(rng, expect, got, call)
    expect.close(field(expect, got, "unused"), np.zeros(3), what="gradient of a weight that is not used")
    x, weight = rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 5))
    got = student.call("expression_gradients", x=x, weight=weight)

    def value(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        h = x @ weight
        h = 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))) + h
        return np.asarray((np.log(np.exp(h).sum(axis=-1)) - h[..., 0]).mean())

    for name, inputs in (("x", {"x": x}), ("weight", {"weight": weight})):
        direction = rng.normal(size=inputs[name].shape)
        moved = {"x": x, "weight": weight} | {name: inputs[name] + 1e-40j * direction}
        want = float(np.imag(value(**moved)) / 1e-40)
        found = field(expect, got, name)
        formed = isinstance(found, np.ndarray) and found.shape == direction.shape
        expect.that(formed, f"the gradient of {name} is no array of its shape")
        expect.close(float(np.sum(found * direction)), want, what=f"slope of gelu(h) + h along a direction of {name}")


@pytest.mark.points(2)
@pytest.mark.hint(
    "One Adam for the whole run, fresh leaves for each batch, and the loss noted before the step.", handout="1.23"
)
def test_the_loss_curve(student, rng, expect):
    """train: 50 steps, within 0.001 of the course library's engine"""
    batches, letters = model.batches(rng, STEPS, 4, 16)
    weights = model.random_weights(rng, letters, 16, 16)
    losses, _ = oracle(weights, batches, LR)
    got = student.call("trained", weights=weights, batches=batches, heads=model.HEADS, lr=LR)
    found = listed(expect, got, "losses", STEPS)
    expect.close(np.array(found, dtype=np.float64), np.array(losses), what="losses of 50 steps", rtol=0.0, atol=1e-3)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Return the weights after the last step, and work on copies: the caller trains again from the same start.",
    handout="1.23",
)
def test_weights_after_training(student, rng, expect):
    """train: the weights after it, those before it untouched, and no steps at all"""
    batches, letters = model.batches(rng, 5, 2, 12)
    weights = model.random_weights(rng, letters, 12, 8)
    for count in (5, 0):
        _, want = oracle(weights, batches[:count], LR)
        got = student.call("trained", weights=weights, batches=batches[:count], heads=model.HEADS, lr=LR)
        listed(expect, got, "losses", count)
        after = field(expect, got, "weights")
        found, names = [field(expect, after, name) for name in want], [f"{name} after {count} steps" for name in want]
        all_close(expect, found, list(want.values()), names, rtol=1e-6, atol=1e-6)
        expect.that(field(expect, got, "kept") is True, "train changed the weights that it was given")


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "One sweep gives the gradients of all weights. Copy no array that nobody changes, and use the given operations whole.",
    handout="1.23",
)
def test_speed_of_training(student, reference, rng, expect, measure):
    """Steps per second, against the instructor's"""
    rounds, each, zero_at = 7, 2, 0.1
    batches, letters = model.batches(rng, each * (rounds + 3), 4, 24)
    weights = model.random_weights(rng, letters, 24, 32)
    sets = [batches[each * i : each * (i + 1)] for i in range(rounds + 3)]
    for program in (student, reference):
        program.call("prepare_training", weights=weights, batches=sets, heads=model.HEADS)
    ours, theirs = [], []

    def run(program, results):
        results.append(program.call("timed_training", batch=len(results)))

    # one pair first: far beyond the curve's end nothing is gained by waiting for seven more
    pair = (lambda: run(student, ours)), (lambda: run(reference, theirs))
    timed = measure.interleaved(*pair, rounds=1, of=(student, reference))
    if timed.ratio < 2 / zero_at:
        timed = measure.interleaved(*pair, rounds=rounds, of=(student, reference))
    for got, want in zip(ours, theirs, strict=True):
        formed = isinstance(got, list) and len(got) == each
        expect.that(formed, "a timed run returned no losses")
        expect.close(np.array(got), np.array(want), what="losses of a timed run", rtol=0.0, atol=1e-6)
    measure.ratio(
        "steps per second, against the instructor's",
        1 / timed.ratio,
        full_at=0.5,
        zero_at=zero_at,
        low=1 / timed.high,
        high=1 / timed.low,
        samples=timed.samples,
    )
