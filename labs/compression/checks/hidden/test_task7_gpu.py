"""Task 7 on a GPU: attention over four bits, between torch over sixteen bits and the instructor's kernel."""

from __future__ import annotations

import pytest

from grader.checks.timing import SpeedTrial, TimedDriver

pytestmark = [pytest.mark.task("7"), pytest.mark.hidden, pytest.mark.gpu]

BANDWIDTH = 4.8e12  # of an H200, the fastest of the course's cards
SIZES = {"batch": 64, "heads": 32, "kv_heads": 8, "n": 4096, "d": 128}


@pytest.mark.points(4)
@pytest.mark.measured
@pytest.mark.limits(wall_s=120.0)
@pytest.mark.hint(
    "Never write the numbers out: multiply codes, and fold scales into queries and weights.", handout="3.32"
)
def test_speed_over_four_bits(student, reference, rng, measure):
    """quantized_decode on a GPU, between attention in float16 and the instructor's kernel"""
    pairs = SIZES["batch"] * SIZES["kv_heads"] * SIZES["n"]
    moved = pairs * (SIZES["d"] + 4 * SIZES["d"] / 64 + 4)
    ours, theirs = (TimedDriver(program, "quantized", SIZES) for program in (student, reference))
    # weights and sums are rounded to float16 on the way, in other orders
    trial = SpeedTrial(ours, theirs, rng, floor_ms=moved / BANDWIDTH * 1e3, rtol=1e-2, on_gpu=True)
    found = trial.run(rounds=10)
    best, plain = theirs.median_ms(rng), theirs.median_ms(rng, plain=True)
    rate = moved / (found.ratio * best / 1e3)
    name = (
        f"time / the instructor's ({rate / 1e9:,.0f} GB/s of codes; in float16 {plain / best:.2f} × the instructor's)"
    )
    interval = {"low": found.low, "high": found.high, "samples": found.samples}
    measure.ratio(name, found.ratio, full_at=1 / 0.85, zero_at=max(plain / best, 1.3), **interval)
