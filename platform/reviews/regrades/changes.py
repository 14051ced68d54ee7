"""What an act did to each student's score: measured before and after it, in its transaction, and kept."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from reviews.regrades.models import LabRegrade, ScoreChange
from reviews.regrades.standings import Number, Standing, class_submissions, numbers, standings

Direction = Literal["up", "down", "same"]


def direction(before: tuple[Number, Number], after: tuple[Number, Number]) -> Direction:
    """Which way a score (points, out of) went: by its points, and where those are equal by its share of all points."""
    old, new = _rank(before), _rank(after)
    return "same" if old == new else "up" if new > old else "down"


def record_changes(regrade: LabRegrade, act: str, effect: Callable[[], object]) -> list[ScoreChange]:
    """Do it, and keep what it changed for each student of the regrade. Queries do not grow with the students."""
    students = set(regrade.items.values_list("submission__enrollment_id", flat=True))
    submissions = [row for row in class_submissions(regrade.assignment_id) if row.enrollment_id in students]
    before = standings(submissions)
    effect()
    after = standings(submissions)
    return ScoreChange.objects.bulk_create(
        _change(regrade, act, student, before[student], after[student]) for student in before
    )


def _change(regrade: LabRegrade, act: str, student: int, before: Standing, after: Standing) -> ScoreChange:
    shown_before, shown_after = numbers(before.shown), numbers(after.shown)
    old, new = numbers(before.staff), numbers(after.staff)
    return ScoreChange(
        regrade=regrade,
        enrollment_id=student,
        act=act,
        submission=after.counting.submission,
        before=old[0],
        before_max=old[1],
        after=new[0],
        after_max=new[1],
        shown_before=shown_before[0],
        shown_before_max=shown_before[1],
        shown_after=shown_after[0],
        shown_after_max=shown_after[1],
        tells=shown_before != shown_after,
    )


def _rank(score: tuple[Number, Number]) -> tuple[Decimal, Decimal]:
    points, most = score
    if points is None:
        return Decimal(-1), Decimal(-1)
    return points, points / most if most else Decimal(0)
