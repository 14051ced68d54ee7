"""Task 5 on a GPU: the speed of a 2:4-sparse product, between a dense one and the instructor's."""

from __future__ import annotations

import pytest

from grader.checks.timing import SpeedTrial, TimedDriver

pytestmark = [pytest.mark.task("5"), pytest.mark.hidden, pytest.mark.gpu]

SPARSE_PEAK = 2 * 989.5e12  # of an H100 and an H200, in operations of the dense product
SIZES = {"out": 8192, "width": 8192, "tokens": 8192}


@pytest.mark.points(4)
@pytest.mark.measured
@pytest.mark.limits(wall_s=120.0)
@pytest.mark.hint(
    "Pack once with torch.sparse.to_sparse_semi_structured, and multiply in the order that needs no copy.",
    handout="3.24",
)
def test_speed_of_a_sparse_product(student, reference, rng, measure):
    """A product with 2 of 4 in float16 on a GPU, between a dense product and the instructor's"""
    flops = 2.0 * SIZES["out"] * SIZES["width"] * SIZES["tokens"]
    ours, theirs = (TimedDriver(program, "sparse", SIZES) for program in (student, reference))
    # outputs are float16, and sums come in other orders
    trial = SpeedTrial(ours, theirs, rng, floor_ms=flops / SPARSE_PEAK * 1e3, rtol=1e-2, on_gpu=True)
    found = trial.run(rounds=10)
    best, dense = theirs.median_ms(rng), theirs.median_ms(rng, dense=True)
    rate = flops / (found.ratio * best / 1e3)
    name = f"time / the instructor's ({rate / 1e12:.0f} TFLOP/s of the dense product; dense {flops / dense / 1e9:.0f})"
    interval = {"low": found.low, "high": found.high, "samples": found.samples}
    none = max(dense / best, 1.1)
    # 0.85 of the instructor's speed, or half of what it gains over a dense product where that is less
    measure.ratio(name, found.ratio, full_at=min(1 / 0.85, none**0.5), zero_at=none, **interval)
