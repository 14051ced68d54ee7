"""How a student's lab stands, in one chip, one number and one next step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.urls import reverse

from assignments.due.rules import DueDate
from assignments.due.selectors import decided
from assignments.models import Assignment
from courses.models import Enrollment
from courses.pages import StateChip, day
from reviews.lists import best
from reviews.scores import Scored, score_all
from submissions.models import Draft, Submission


@dataclass(frozen=True)
class LabState:
    """One lab as one student sees it in a list. `url` is None while the student may not open it."""

    assignment: Assignment
    due: DueDate
    url: str | None
    chip: StateChip
    attempts: int
    best: Scored | None
    latest: Scored | None
    has_draft: bool
    is_open: bool
    accepts: bool
    released: bool

    @property
    def due_at(self) -> datetime:
        """When it is due for this student."""
        return self.due.due_at


def lab_states(enrollment: Enrollment, now: datetime) -> list[LabState]:
    """All labs of the offering as this student sees them, in order. Seven queries."""
    labs = list(enrollment.offering.assignments.labs().select_related("lab"))
    due = decided(enrollment, labs)
    submissions = Submission.objects.filter(enrollment=enrollment, assignment__in=labs).order_by("pk")
    attempts: dict[int, list[Scored]] = {}
    for scored in score_all(submissions, for_staff=False):
        attempts.setdefault(scored.submission.assignment_id, []).append(scored)
    drafts = set(Draft.objects.filter(enrollment=enrollment).values_list("assignment_id", flat=True))
    return [
        _state(enrollment, lab, due[lab.pk], attempts.get(lab.pk, []), now, has_draft=lab.pk in drafts) for lab in labs
    ]


def points_text(value: Decimal) -> str:
    """Points without needless zeros: 12.5, 40, 0."""
    return f"{value.normalize():f}"


def _state(
    enrollment: Enrollment, lab: Assignment, due: DueDate, attempts: list[Scored], now: datetime, *, has_draft: bool
) -> LabState:
    is_open = lab.is_open(now)
    accepts = is_open and lab.lab is not None and now.replace(microsecond=0) <= due.due_at
    latest = attempts[-1] if attempts else None
    return LabState(
        assignment=lab,
        due=due,
        url=reverse("lab", args=[enrollment.offering.slug, lab.slug]) if is_open or enrollment.is_staff else None,
        chip=_chip(lab, latest, is_open=is_open, accepts=accepts, has_draft=has_draft),
        attempts=len(attempts),
        best=best(attempts),
        latest=latest,
        has_draft=has_draft,
        is_open=is_open,
        accepts=accepts,
        released=lab.is_released(now),
    )


def _chip(lab: Assignment, latest: Scored | None, *, is_open: bool, accepts: bool, has_draft: bool) -> StateChip:
    if latest is not None:
        return latest.chip
    if not is_open:
        return StateChip("muted", f"Opens {day(lab.opens_at)}")
    if not accepts and lab.lab is not None:
        return StateChip("fail", "Not handed in")
    return StateChip("warn", "Draft saved") if has_draft else StateChip("muted", "Not started")
