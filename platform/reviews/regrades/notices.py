"""The notice by which a student hears that a regrade changed their score."""

from __future__ import annotations

from assignments.models import Assignment
from courses.models import Enrollment
from reviews.regrades.models import ScoreChange


def notices_of(enrollment: Enrollment) -> tuple[ScoreChange, ...]:
    """What this student has not taken off their first page yet: the latest change of each lab. One query."""
    latest: dict[int, ScoreChange] = {}
    for change in ScoreChange.objects.told().filter(enrollment=enrollment, seen_at=None):
        latest.setdefault(change.regrade.assignment_id, change)
    return tuple(latest.values())


def notice_at(enrollment: Enrollment, assignment: Assignment) -> ScoreChange | None:
    """The latest change of this student's score for a lab, for the result page. One query."""
    return ScoreChange.objects.told().filter(enrollment=enrollment, regrade__assignment=assignment).first()
