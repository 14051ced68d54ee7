"""Task 6, public checks: the scale's moves, unscaling, one run of steps, and a prediction."""

from __future__ import annotations

import numpy as np
import precision
import pytest
from answers import all_close, field, number

pytestmark = pytest.mark.task("6")

SINGLE = {"rtol": 1e-6, "atol": 0.0}


@pytest.mark.points(1)
@pytest.mark.hint(
    "An overflow shrinks the scale and sets the count to 0; a good step raises the count, and at the interval the scale grows.",
    handout="1.21",
)
def test_the_scale_moves(student, rng, expect):
    """LossScaler.update: good steps and overflows"""
    settings = {"init_scale": 1024.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 3}
    overflows = [False] * 4 + [True] + [bool(flag) for flag in rng.random(8) < 0.3] + [False] * 3
    got = student.call("scaler_trace", settings=settings, overflows=overflows)
    precision.check_trace(expect, got, precision.scales(settings, overflows), "updates")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Turn the gradients into float32 before you divide, and ask np.isfinite about every one of them.", handout="1.21"
)
def test_unscaling(student, rng, expect):
    """LossScaler.unscale: float32 gradients, and whether one overflowed"""
    scale = float(2.0 ** rng.integers(4, 12))
    gradients = [rng.normal(size=shape).astype(np.float16) for shape in ((3, 2), (4,))]
    for spoiled in (None, np.inf, np.nan):
        given = [one.copy() for one in gradients]
        if spoiled is not None:
            given[1][2] = spoiled
        got = student.call("unscaled", scale=scale, gradients=given)
        expect.equal(field(expect, got, "overflow"), spoiled is not None, what=f"overflow with {spoiled} in a gradient")
        want = [(one.astype(np.float64) / scale).astype(np.float32) for one in given]
        all_close(expect, field(expect, got, "gradients"), want, ["a gradient"] * 2, **SINGLE)
        expect.that(field(expect, got, "kept") is True, "unscale changed the gradients that it was given, or the state")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Float16 copies for the gradient, float32 for everything after it; and update the scaler in every step.",
    handout="1.22",
)
def test_steps(student, rng, expect):
    """mixed_precision_step: ten steps towards a target"""
    call = problem(rng, {"init_scale": 256.0, "growth_interval": 4})
    got = student.call("mixed_steps", **call, lr=0.1, steps=10)
    check_steps(expect, got, call, lr=0.1, steps=10)


def problem(rng, settings):
    """Two weights, and a quadratic loss."""
    shapes = ((3, 2), (4,))
    weights, targets = ([rng.normal(size=s).astype(np.float32) for s in shapes] for _ in range(2))
    slopes = [rng.uniform(0.5, 2, size=s).astype(np.float32) for s in shapes]
    defaults = {"growth_factor": 2.0, "backoff_factor": 0.5}
    return {"weights": weights, "slopes": slopes, "targets": targets, "settings": defaults | settings}


def check_steps(expect, got, call, lr, steps):
    """Weights and states after every step."""
    history, states = precision.steps(**call, lr=lr, count=steps)
    precision.check_trace(expect, field(expect, got, "states"), states, "steps")
    weights = field(expect, got, "weights")
    expect.that(isinstance(weights, list) and len(weights) == steps, "the steps returned no weights")
    for number_, (one, want) in enumerate(zip(weights, history, strict=True), 1):
        names = [f"weight {i} after step {number_}" for i in range(len(want))]
        all_close(expect, one, want, names, rtol=1e-6, atol=1e-7)
    expect.that(field(expect, got, "kept") is True, "a step changed the arrays that it was given")


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "The step counts as soon as largest · scale is at most 65504; each skipped step multiplies the scale by the backoff factor.",
    handout="1.17",
)
def test_prediction_of_skipped_steps(student, rng, expect, measure):
    """Steps skipped before the first that counts, as predicted and as counted"""
    backoff = float(rng.choice([0.5, 0.25, 0.7]))
    skips = int(rng.integers(3, 9))
    largest = float(np.float32(rng.uniform(0.5, 50)))
    # between skips - 1 and skips, well away from both
    init_scale = float(np.float32(precision.LARGEST / largest / backoff ** (skips - rng.uniform(0.2, 0.8))))
    arguments = {"largest": largest, "init_scale": init_scale, "backoff_factor": backoff}
    said = student.call("predicted", function="predict_skipped_steps", arguments=arguments)
    predicted = number(expect, said, "the prediction")
    settings = {"init_scale": init_scale, "growth_factor": 2.0, "backoff_factor": backoff, "growth_interval": 100}
    one, zero = np.ones(2, np.float32), np.zeros(2, np.float32)
    call = {"weights": [one], "slopes": [one * np.float32(largest)], "targets": [zero], "settings": settings}
    got = student.call("mixed_steps", **call, lr=1e-4, steps=skips + 3)
    check_steps(expect, got, call, lr=1e-4, steps=skips + 3)
    still = [bool(np.array_equal(step[0], one)) for step in field(expect, got, "weights")]
    measure.prediction("the skipped steps", predicted, still.index(False), tolerance=0.01, zero_at=1.5)
