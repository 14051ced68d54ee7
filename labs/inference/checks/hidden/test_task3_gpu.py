"""Task 3 on a GPU: the kernel's speed with its own tiles, between plain torch and the instructor's kernel."""

from __future__ import annotations

import pytest

from grader.checks.charts import roofline
from grader.checks.timing import SpeedTrial, TimedDriver

pytestmark = [pytest.mark.task("3"), pytest.mark.hidden, pytest.mark.gpu]

PEAK, BANDWIDTH = 989.5e12, 3.35e12  # of an H100; an H200 has the same peak
SIZES = {"batch": 4, "heads": 16, "kv_heads": 4, "n": 4096, "d": 128}


@pytest.mark.points(4)
@pytest.mark.measured
@pytest.mark.limits(wall_s=90.0)
@pytest.mark.hint(
    "Try other default tiles and more warps; scale once, use exp2, and leave masks out of tiles that need none.",
    handout="2.9",
)
@pytest.mark.parametrize("causal", [False, True], ids=["all pairs", "causal"])
def test_speed(student, reference, rng, measure, causal):
    """Speed in float16 on a GPU, between plain torch and the instructor's kernel"""
    batch, heads, n, d = (SIZES[name] for name in ("batch", "heads", "n", "d"))
    flops = 4 * batch * heads * n * n * d / (2 if causal else 1)
    ours, theirs = (TimedDriver(program, "attention", SIZES) for program in (student, reference))
    trial = SpeedTrial(ours, theirs, rng, floor_ms=flops / PEAK * 1e3, rtol=1e-2, on_gpu=True, causal=causal)
    found = trial.run(rounds=10)
    best, plain = theirs.median_ms(rng, causal=causal), theirs.median_ms(rng, causal=causal, eager=True)
    rate = flops / (found.ratio * best / 1e3)
    intensity = flops / (4 * batch * n * d * (heads + SIZES["kv_heads"]))
    measure.chart(roofline(device="H100", peak=PEAK, bandwidth=BANDWIDTH, intensity=intensity, rate=rate))
    name = f"time / the instructor's ({rate / 1e12:.0f} TFLOP/s; plain torch {flops / plain / 1e9:.0f})"
    interval = {"low": found.low, "high": found.high, "samples": found.samples}
    measure.ratio(name, found.ratio, full_at=1 / 0.85, zero_at=plain / best, **interval)
