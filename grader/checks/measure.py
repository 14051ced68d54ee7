"""Measured checks: a ratio or a count becomes points on a log-linear curve.

points = max_points · clip(log(value / zero_at) / log(full_at / zero_at), 0, 1)

Times are taken by the judge's own clock around whole calls, student and reference in turn, so that a slow moment of the machine
falls on both.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """One measured quantity, its interval and its curve. `low` and `high` bound the central 95 % of the estimate."""

    name: str
    value: float
    unit: str
    full_at: float
    zero_at: float
    low: float
    high: float
    samples: int

    @property
    def fraction(self) -> float:
        """Share of the check's points, from 0 to 1."""
        return curve(self.value, full_at=self.full_at, zero_at=self.zero_at)


@dataclass(frozen=True)
class Ratio:
    """Student's time over the reference's, as the median of paired rounds, with the 95 % interval of that median."""

    ratio: float
    low: float
    high: float
    samples: int

    @property
    def is_wide(self) -> bool:
        """Whether more pairs should be taken before points hang on it."""
        return self.high > 1.15 * self.low


def curve(value: float, *, full_at: float, zero_at: float) -> float:
    """The log-linear share of points: 1 at `full_at` and better, 0 at `zero_at` and worse."""
    if value <= 0:
        return 1.0 if full_at < zero_at else 0.0
    share = math.log(value / zero_at) / math.log(full_at / zero_at)
    return min(1.0, max(0.0, share))


class Measure:
    """The `measure` fixture; a check records at most one quantity."""

    def __init__(self) -> None:
        self.recorded: Measured | None = None

    def ratio(
        self,
        name: str,
        value: float,
        *,
        full_at: float,
        zero_at: float,
        unit: str = "×",
        low: float | None = None,
        high: float | None = None,
        samples: int = 1,
    ) -> Measured:
        """Record `value`; full points at `full_at`, none at `zero_at`."""
        self.recorded = Measured(
            name, value, unit, full_at, zero_at, value if low is None else low, value if high is None else high, samples
        )
        return self.recorded

    def interleaved(
        self, run_student: Callable[[], object], run_reference: Callable[[], object], rounds: int = 15
    ) -> Ratio:
        """Time both in turn, `rounds` times, the first pair discarded."""
        ratios = [_pair(run_student, run_reference, swap=bool(index % 2)) for index in range(rounds + 1)][1:]
        low, high = median_interval(sorted(ratios))
        return Ratio(statistics.median(ratios), low, high, len(ratios))


def _pair(run_student: Callable[[], object], run_reference: Callable[[], object], *, swap: bool) -> float:
    if swap:
        reference, student = _timed(run_reference), _timed(run_student)
    else:
        student, reference = _timed(run_student), _timed(run_reference)
    return student / reference


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def median_interval(ordered: list[float]) -> tuple[float, float]:
    """Distribution-free 95 % interval of the median, by order statistics of a binomial(n, 1/2)."""
    n = len(ordered)
    spread = 1.96 * math.sqrt(n) / 2
    low = max(0, math.floor(n / 2 - spread))
    high = min(n - 1, math.ceil(n / 2 + spread))
    return ordered[low], ordered[high]
