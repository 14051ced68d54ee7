"""What a class would have said if nobody were stricter than anybody else, and which marks stand apart. Shown beside the plain mean.

Idea: who gives everyone high marks tells less about a talk than the same mark of a strict rater. Every mark is read as

    mark = talk + rater + rest

and the talks' values and the raters' leniencies are those that make

    sum of rest ** 2  +  SHRINKAGE * sum of leniency ** 2

smallest. The second term is a ridge: it is as if each rater had also given `SHRINKAGE` talks exactly what they deserved, so whoever
rated one talk alone is hardly corrected and whoever rated thirty almost wholly. It also makes the solution the only one, and the
leniencies add up to zero. Where everybody rates every talk, the corrected mean is the plain one.

Cost: one linear system of the size of the number of talks, and a table of raters by talks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SHRINKAGE = 2.0
# the factor that makes the median absolute deviation of normal numbers their standard deviation
TO_DEVIATION = 1.4826
LIMIT = 3.5
LEAST_STEPS = 1.5
FEWEST = 5  # marks of a talk below which none of them stands apart


@dataclass(frozen=True)
class Corrected:
    """By talk its corrected mean, by rater how lenient they are, and the (talk, rater) whose marks stand apart."""

    talks: Mapping[int, float]
    raters: Mapping[int, float]
    outliers: frozenset[tuple[int, int]]


def corrected(marks: Mapping[int, Mapping[int, int]]) -> Corrected:
    """Of marks by talk and rater. A talk that nobody rated has no mean."""
    rated = {talk: given for talk, given in marks.items() if given}
    if not rated:
        return Corrected({}, {}, frozenset())
    talks, raters = sorted(rated), sorted({rater for given in rated.values() for rater in given})
    column = {rater: at for at, rater in enumerate(raters)}
    table = np.full((len(talks), len(raters)), np.nan)
    for row, talk in enumerate(talks):
        for rater, mark in rated[talk].items():
            table[row, column[rater]] = mark
    values, leniency = effects(table)
    apart = outliers(table - leniency)
    return Corrected(
        talks={talk: float(value) for talk, value in zip(talks, values, strict=True)},
        raters={rater: float(value) for rater, value in zip(raters, leniency, strict=True)},
        outliers=frozenset((talks[row], raters[at]) for row, at in np.argwhere(apart)),
    )


def effects(table: Floats, shrinkage: float = SHRINKAGE) -> tuple[Floats, Floats]:
    """The talks' values and the raters' leniencies of a table of marks, talks by raters, NaN where there is none.

    Every talk needs a mark. For given values a rater's leniency is the sum of what they gave above them, over `n + shrinkage`; put into
    the normal equations of the talks, that leaves a system of the talks alone, which is positive definite for any shrinkage above 0.
    """
    given = ~np.isnan(table)
    held, marks = given.astype(np.float64), np.where(given, table, 0.0)
    weight = 1.0 / (held.sum(axis=0) + shrinkage)
    system = np.diag(held.sum(axis=1)) - (held * weight) @ held.T
    values = np.linalg.solve(system, marks.sum(axis=1) - held @ (weight * marks.sum(axis=0)))
    return values, weight * (marks.sum(axis=0) - values @ held)


def outliers(table: Floats) -> NDArray[np.bool_]:
    """Which marks of a table, corrected for leniency, stand apart from the others of their talk.

    A mark stands apart when it is farther from its talk's median than `LIMIT` robust deviations of all marks of the class from their
    talk's median (1.4826 times the median absolute one), and by at least `LEAST_STEPS` steps of the scale: where nearly all agree, one step
    is no news. Talks of fewer than `FEWEST` marks have none.
    """
    many = (~np.isnan(table)).sum(axis=1) >= FEWEST
    apart = np.zeros(table.shape, dtype=np.bool_)
    if many.any():
        distance = np.abs(table[many] - np.nanmedian(table[many], axis=1, keepdims=True))
        deviation = TO_DEVIATION * float(np.nanmedian(distance))
        apart[many] = distance > max(LIMIT * deviation, LEAST_STEPS)  # NaN is farther than nothing
    return apart
