"""Figures of a list of exact numbers. All but the standard deviation are exact fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from gradebook.book.components import exact_sum


@dataclass(frozen=True)
class Figures:
    """Of `count` numbers; without any there is none. `sd` is of the class itself, not of a sample (divided by the count)."""

    count: int
    mean: Fraction | None = None
    median: Fraction | None = None
    lower_quartile: Fraction | None = None
    upper_quartile: Fraction | None = None
    sd: Fraction | None = None
    lowest: Fraction | None = None
    highest: Fraction | None = None


def figures_of(numbers: Sequence[Fraction]) -> Figures:
    """The figures. Quartiles lie between the two nearest numbers in proportion, as spreadsheets' inclusive quartiles do."""
    if not numbers:
        return Figures(0)
    ranked = sorted(numbers)
    count = len(ranked)
    mean = exact_sum(ranked) / count
    middle = float(mean)
    variance = math.fsum((float(number) - middle) ** 2 for number in ranked) / count
    return Figures(
        count=count,
        mean=mean,
        median=_quantile(ranked, Fraction(1, 2)),
        lower_quartile=_quantile(ranked, Fraction(1, 4)),
        upper_quartile=_quantile(ranked, Fraction(3, 4)),
        sd=Fraction(math.sqrt(variance)),
        lowest=ranked[0],
        highest=ranked[-1],
    )


def _quantile(ranked: Sequence[Fraction], share: Fraction) -> Fraction:
    place = share * (len(ranked) - 1)
    below = place.numerator // place.denominator
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])
