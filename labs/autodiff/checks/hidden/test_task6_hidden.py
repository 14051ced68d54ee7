"""Task 6, hidden checks: long traces and their corners, what underflows, what rounds away, and what is skipped."""

from __future__ import annotations

import numpy as np
import precision
import pytest
from answers import all_close, field
from test_task6 import check_steps, problem

pytestmark = [pytest.mark.task("6"), pytest.mark.hidden]


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "An overflow in the very step in which the scale would have grown shrinks it, and the count starts again.",
    handout="1.21",
)
def test_random_traces(student, rng, expect):
    """LossScaler.update: 30 random traces, and an overflow where the scale was about to grow"""
    for _ in range(30):
        settings = precision.random_settings(rng)
        overflows = [bool(flag) for flag in rng.random(60) < rng.uniform(0, 0.6)]
        edge = settings["growth_interval"] - 1
        overflows = [False] * edge + [True] + [False] * edge + [True] + overflows
        got = student.call("scaler_trace", settings=settings, overflows=overflows)
        precision.check_trace(expect, got, precision.scales(settings, overflows), "updates")


@pytest.mark.points(1)
@pytest.mark.hint(
    "The largest float32 is about 3.4e38: a growth beyond it does not happen, and the count starts again all the same.",
    handout="1.21",
)
def test_the_scale_stays_finite(student, expect):
    """LossScaler.update: growth ends before infinity, and shrinking goes on"""
    settings = {"init_scale": 2.0**120, "growth_factor": 4.0, "backoff_factor": 0.5, "growth_interval": 2}
    overflows = [False] * 17 + [True] + [False] * 3
    got = student.call("scaler_trace", settings=settings, overflows=overflows)
    precision.check_trace(expect, got, precision.scales(settings, overflows), "updates")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Gradients that are zero in float16 are no overflow: the scale grows until they are seen. Divide in float32, where they still fit.",
    handout="1.21",
)
def test_underflow_recovers(student, rng, expect):
    """Gradients below float16 are seen once the scale has grown"""
    call = problem(rng, {"init_scale": 1.0, "growth_interval": 2})
    call["slopes"] = [slope * np.float32(2.0**-28) for slope in call["slopes"]]
    got = student.call("mixed_steps", **call, lr=2.0**24, steps=40)
    check_steps(expect, got, call, lr=2.0**24, steps=40)
    first, last = field(expect, got, "weights")[0], field(expect, got, "weights")[-1]
    all_close(expect, first, call["weights"], ["weights after one step, whose gradients are zero in float16"] * 2)
    far = [np.abs(w - t).sum() for w, t in zip(call["weights"], call["targets"], strict=True)]
    near = [np.abs(w - t).sum() for w, t in zip(last, call["targets"], strict=True)]
    expect.that(
        all(a < 0.9 * b for a, b in zip(near, far, strict=True)), "the weights did not move towards their target"
    )


@pytest.mark.points(1)
@pytest.mark.hint(
    "Add the step to the float32 weights: in float16 the step is below half of the distance between two numbers.",
    handout="1.22",
)
def test_small_steps_add_up(student, rng, expect):
    """Steps too small for float16 weights add up in the master weights"""
    one = np.full(3, 1.0, np.float32)
    targets = [rng.uniform(0.2, 0.4, size=3).astype(np.float32)]
    settings = {"init_scale": 128.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 50}
    call = {"weights": [one], "slopes": [one], "targets": targets, "settings": settings}
    got = student.call("mixed_steps", **call, lr=1e-4, steps=30)
    check_steps(expect, got, call, lr=1e-4, steps=30)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Skip the whole step when any gradient of any weight overflowed: half a step is none.", handout="1.22"
)
def test_overflows_are_skipped_whole(student, rng, expect):
    """One overflow in one weight skips the step for all, bit by bit"""
    call = problem(rng, {"init_scale": 2.0**18, "growth_interval": 3})
    call["slopes"][1][2] = np.float32(300.0)
    got = student.call("mixed_steps", **call, lr=0.003, steps=25)
    check_steps(expect, got, call, lr=0.003, steps=25)
    skipped = field(expect, got, "weights")[0]
    all_close(expect, skipped, call["weights"], ["weights after a skipped step"] * 2, rtol=0.0, atol=0.0)
