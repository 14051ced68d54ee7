"""Charts beside a measured quantity: bytes by block, the roof, and how they reach the report."""

from __future__ import annotations

import random

import pytest

from grader.checks.charts import roofline, traffic
from grader.checks.measure import Measure


def test_traffic_shows_the_formula_the_floor_and_the_run_over_the_same_blocks():
    chart = traffic(
        lambda rows: 1e6 / rows,
        blocks=(16, 64),
        block=32,
        moved=40_000.0,
        floor=10_000,
        name="BLOCK_M",
        says="Four times.",
    )
    formula, floor = (line.points for line in chart.lines)
    assert [x for x, _ in formula] == [x for x, _ in floor] == [16, 32, 64], "the run's own block is among them"
    assert formula[1] == (32, 31_250)
    assert {y for _, y in floor} == {10_000}
    assert (chart.you, chart.says) == ((32, 40_000), "Four times.")


def roof(intensity: float, rate: float | None = None):
    return roofline(device="H100", peak=1e15, bandwidth=2e12, intensity=intensity, rate=rate)


def test_work_left_of_the_ridge_is_held_by_memory_and_right_of_it_by_arithmetic():
    left, right = roof(50), roof(2000)
    assert left.you == (50, 1e14)
    assert "memory is the limit on one H100: at most 100 TFLOP/s of 1,000" in left.says
    assert right.you == (2000, 1e15)
    assert "arithmetic is the limit" in right.says


def test_a_measured_rate_is_told_as_part_of_what_its_intensity_allows():
    chart = roof(50, 6e13)
    assert chart.you == (50, 6e13)
    assert "this run reached 60, 60% of it." in chart.says


@pytest.mark.parametrize("seed", range(5))
def test_the_roof_rises_to_the_ridge_and_is_flat_after_it(seed):
    intensity = 10 ** random.Random(seed).uniform(-2, 5)
    points = roof(intensity).lines[0].points
    assert (500.0, 1e15) in points
    assert points[0][0] < min(500, intensity)
    assert points[-1][0] > max(500, intensity)
    assert all(y == pytest.approx(min(1e15, 2e12 * x)) for x, y in points)


def test_charts_go_with_the_quantity_that_is_recorded_after_them():
    measure = Measure()
    measure.chart(roof(50))
    measure.chart(roof(2000))
    recorded = measure.ratio("bytes", 1.2, full_at=1.05, zero_at=3)
    assert [chart.you[0] for chart in recorded.charts] == [50, 2000]
    assert Measure().ratio("bytes", 1.2, full_at=1.05, zero_at=3).charts == ()
