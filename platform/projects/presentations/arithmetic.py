"""How marks become points, exactly. No database.

A mark goes from 1 to `scale`. The lowest one is no points and the highest one all of them, in equal steps:

    share = (mean - 1) / (scale - 1)
    points = 100 * (w * share of staff + (1 - w) * share of classmates)

with w the staff's share of the score. A half that nobody gave is left out, and the other one makes the whole score.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

MAX_POINTS = Fraction(100)


@dataclass(frozen=True)
class Weighing:
    """What an offering decided: the staff's part of the score, from 0 to 1, and the highest mark."""

    staff_share: Fraction
    scale: int


def mean(marks: Collection[int | Fraction]) -> Fraction | None:
    """The plain mean; None of nothing."""
    return Fraction(sum(marks)) / len(marks) if marks else None


def in_points(mark: Fraction, scale: int) -> Fraction:
    """A mark or a mean of marks, in points of 100."""
    return MAX_POINTS * (mark - 1) / (scale - 1)


def weights(staff: Fraction | None, classmates: Fraction | None, weighing: Weighing) -> tuple[Fraction, Fraction]:
    """How much each half counts, staff first. They add up to 1 where anybody rated."""
    if staff is None or classmates is None:
        return Fraction(staff is not None), Fraction(classmates is not None)
    return weighing.staff_share, 1 - weighing.staff_share


def points(staff: Fraction | None, classmates: Fraction | None, weighing: Weighing) -> Fraction | None:
    """The score of means of marks; None where nobody rated."""
    if staff is None and classmates is None:
        return None
    halves = (
        (half, weight) for half, weight in zip((staff, classmates), weights(staff, classmates, weighing), strict=True)
    )
    return sum((weight * in_points(half, weighing.scale) for half, weight in halves if half is not None), Fraction(0))
