"""Measured checks: a ratio or a count becomes points on a log-linear curve.

points = max_points · clip(log(value / zero_at) / log(full_at / zero_at), 0, 1)

Times are taken by the judge around whole calls, student and reference in turn, so that a slow moment of the machine falls on both: by the
kernel's account of the processor where there is one, else by the judge's own clock.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .expect import CheckFailed

if TYPE_CHECKING:  # students' machines have this file and not that one
    from ..contract import Chart


class Timed(Protocol):
    """A program whose use of the processor may be known."""

    def processor_s(self) -> float | None: ...


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
    charts: tuple[Chart, ...] = ()

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
    """The `measure` fixture; a check records at most one quantity, after the charts that show it beside theory."""

    def __init__(self) -> None:
        self.recorded: Measured | None = None
        self._charts: tuple[Chart, ...] = ()

    def chart(self, chart: Chart) -> None:
        """Show this beside the quantity that is recorded next."""
        self._charts = (*self._charts, chart)

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
        """Record `value`; full points at `full_at`, none at `zero_at`. What is no finite number fails the check: no report can hold it."""
        if not math.isfinite(value):
            raise CheckFailed(f"{name}: came to {value}, which is no finite number")
        bounds = (value if low is None else low, value if high is None else high)
        self.recorded = Measured(name, value, unit, full_at, zero_at, *bounds, samples, self._charts)
        return self.recorded

    def prediction(
        self, name: str, predicted: float, measured: float, *, tolerance: float, zero_at: float = 2.0, unit: str = ""
    ) -> Measured:
        """Record how far a prediction that was made before the measurement is from it, as a factor of at least 1.

        Full points up to 1 + `tolerance`, none from `zero_at` on; both numbers are part of what the student reads.
        """
        off = max(predicted / measured, measured / predicted) if min(predicted, measured) > 0 else math.inf
        said, found = (f"{value:,.6g} {unit}".strip() for value in (predicted, measured))
        return self.ratio(
            f"between {name} as you predicted, {said}, and as measured, {found}",
            min(off, 1e6),
            full_at=1.0 + tolerance,
            zero_at=zero_at,
        )

    def interleaved(
        self,
        run_student: Callable[[], object],
        run_reference: Callable[[], object],
        rounds: int = 15,
        *,
        of: tuple[Timed, Timed],
    ) -> Ratio:
        """Time both in turn, `rounds` times, the first pair discarded.

        `of` names the two programs: where the kernel keeps account of the processor time of each, that is what is compared, since a clock
        on the wall runs on while others have the processor, and whoever keeps it busy would make the other one slow.
        """
        student, reference = (_clock(program) for program in of)
        ratios = []
        for index in range(rounds + 1):
            if index % 2:
                theirs, mine = _timed(run_reference, reference), _timed(run_student, student)
            else:
                mine, theirs = _timed(run_student, student), _timed(run_reference, reference)
            ratios.append(mine / theirs)
        low, high = median_interval(sorted(ratios[1:]))
        return Ratio(statistics.median(ratios[1:]), low, high, rounds)


def _clock(program: Timed) -> Callable[[], float]:
    """The processor's account of a program, or the clock on the wall where there is none."""
    return (lambda: program.processor_s() or 0.0) if program.processor_s() is not None else time.perf_counter


def _timed(run: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return max(clock() - start, 1e-9)


def median_interval(ordered: list[float]) -> tuple[float, float]:
    """Distribution-free 95 % interval of the median, by order statistics of a binomial(n, 1/2)."""
    n = len(ordered)
    spread = 1.96 * math.sqrt(n) / 2
    low = max(0, math.floor(n / 2 - spread))
    high = min(n - 1, math.ceil(n / 2 + spread))
    return ordered[low], ordered[high]
