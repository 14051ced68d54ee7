"""Task 3 on a GPU: the kernel's speed with its own tiles, between plain torch and the instructor's kernel."""

from __future__ import annotations

import statistics

import pytest

from grader.checks.charts import roofline
from grader.checks.timing import SpeedTrial

pytestmark = [pytest.mark.task("3"), pytest.mark.hidden, pytest.mark.gpu]

PEAK, BANDWIDTH = 989.5e12, 3.35e12  # of an H100; an H200 has the same peak
SHAPE = {"batch": 4, "heads": 16, "kv_heads": 4, "n": 4096, "d": 128}
ROUNDS = 5


def claimed_ms(program, rng, **arguments):
    """Median time of a few calls."""
    seeds = rng.integers(1 << 31, size=ROUNDS + 1)
    times = [
        program.call("timed", seed=int(seed), audit=False, what="attention", **arguments)["claim_ms"] for seed in seeds
    ]
    return statistics.median(times[1:])


@pytest.mark.points(4)
@pytest.mark.measured
@pytest.mark.limits(wall_s=90)
@pytest.mark.hint(
    "Try other default tiles and more warps; scale once, use exp2, and keep masks out of tiles that need none.",
    handout="2.9",
)
@pytest.mark.parametrize("causal", [False, True], ids=["all pairs", "causal"])
def test_speed(student, reference, rng, measure, causal):
    """Speed in float16 on a GPU, between plain torch and the instructor's kernel"""
    arguments = {"causal": causal, **SHAPE}
    batch, heads, n, d = (SHAPE[name] for name in ("batch", "heads", "n", "d"))
    flops = 4 * batch * heads * n * n * d / (2 if causal else 1)
    trial = SpeedTrial(
        student, reference, rng, floor_ms=flops / PEAK * 1e3, rtol=1e-2, on_gpu=True, what="attention", **arguments
    )
    found = trial.run()
    theirs = claimed_ms(reference, rng, **arguments)
    plain = claimed_ms(reference, rng, eager=True, **arguments)
    moved = 2 * batch * n * d * 2 * (heads + SHAPE["kv_heads"])
    rate = flops / (found.ratio * theirs / 1e3)
    measure.chart(roofline(device="H100", peak=PEAK, bandwidth=BANDWIDTH, intensity=flops / moved, rate=rate))
    measure.ratio(
        f"time / the instructor's ({rate / 1e12:.0f} TFLOP/s; plain torch {flops / plain / 1e9:.0f})",
        found.ratio,
        full_at=1 / 0.85,
        zero_at=plain / theirs,
        low=found.low,
        high=found.high,
        samples=found.samples,
    )
