"""Readings and reports of projects: the marks of the latest work and its adjustments, added up by the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import FloatField, Sum
from django.db.models.functions import Cast

from assignments.models import Assignment
from gradebook.sources.origins import UNGRADED, Found, Origin, graded
from reviews.marking.models import Adjustment, Mark, Purpose
from reviews.marking.scores import latest_of_students
from reviews.releases.models import ReleaseItem
from reviews.releases.standing import STANDS, wholly_released
from reviews.scores import points


def hand_scores_of(
    assignments: Sequence[Assignment], students: Collection[int] | None = None, *, released_only: bool = False
) -> dict[tuple[int, int], Found]:
    """By ids of student and assignment, for everyone who handed in, of shared work for each author; of `students` alone where given.

    With `released_only`, a score that its student does not see yet is not one. Seven queries.
    """
    counting = latest_of_students(*assignments, students=students)
    # a class asks by assignment and picks afterwards: its list of submissions would be longer than a query may be
    mine = {"assignment__in": assignments} if students is None else {"pk__in": set(counting.values())}
    totals = _totals(mine)
    shown = set(ReleaseItem.objects.filter(**_of(mine, "submission"), **STANDS).values_list("submission", flat=True))
    whole = wholly_released(assignment.pk for assignment in assignments)
    return {
        key: _found(pk, totals, released=pk in shown or key[1] in whole, released_only=released_only)
        for key, pk in counting.items()
    }


def _totals(mine: Mapping[str, Any]) -> dict[int, tuple[Decimal, Decimal]]:
    """By submission, what it got of how much; one that is not graded is not in it."""
    marks = Mark.objects.filter(**_of(mine, "review__submission"), review__purpose=Purpose.FIRST).order_by()
    adjustments = Adjustment.objects.filter(**_of(mine, "submission")).order_by()
    adjusted = dict(adjustments.values_list("submission").annotate(given=_sum("points")))
    rows = marks.values_list("review__submission").annotate(got=_sum("score"), most=_sum("points"))
    return {pk: _total(points(score), points(most), points(adjusted.get(pk, 0.0))) for pk, score, most in rows}


def _sum(column: str) -> Sum:
    """A sum of hundredths as a float: exact once rounded to hundredths again, and without Django's conversion of each value."""
    return Sum(Cast(column, FloatField()))


def _of(mine: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The same question about submissions, asked from a row that leads to one by `path`."""
    return {f"{path}__{name}": value for name, value in mine.items()}


def _total(score: Decimal, most: Decimal, adjustment: Decimal) -> tuple[Decimal, Decimal]:
    return min(max(score + adjustment, Decimal(0)), most), most


def _found(pk: int, totals: Mapping[int, tuple[Decimal, Decimal]], *, released: bool, released_only: bool) -> Found:
    total = totals.get(pk)
    origin = Origin(pk, attempts=1, pending=total is not None and not released, settled=released)
    hidden = released_only and not released
    return Found(UNGRADED if total is None or hidden else graded(*total), origin)
