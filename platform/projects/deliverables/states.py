"""How an offering's deliverables stand: for a student each with their team's date and one chip, for staff with how many came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.urls import reverse

from assignments.due.rules import DueDate
from config import clock
from courses.models import Enrollment, Offering
from courses.pages import StateChip, day
from projects.deliverables.crew import Crew, crew_of, due_dates
from projects.deliverables.models import Deliverable
from reviews.marking.models import Review
from reviews.marking.scores import HandScore, hand_scores, latest_submissions
from reviews.releases.standing import released_since
from submissions.models import Submission
from submissions.shared import is_of


@dataclass(frozen=True)
class DeliverableState:
    """One deliverable in a list. `url` is None while a student may not open it.

    `latest` is the submission that counts for the student, and `score` what it got, once released; `why_not` says why their team
    cannot hand in as it is. For staff `handed_in` is how many submissions there are to read.
    """

    deliverable: Deliverable
    due: DueDate
    url: str | None
    chip: StateChip
    accepts: bool
    latest: Submission | None = None
    attempts: int = 0
    score: Decimal | None = None
    max_score: Decimal = Decimal(0)
    why_not: str = ""
    handed_in: int | None = None

    @property
    def due_at(self) -> datetime:
        """When it is due for this person."""
        return self.due.due_at


@dataclass(frozen=True)
class _Known:
    """What the database says of one student's work."""

    crew: Crew
    due: Mapping[int, DueDate]
    attempts: Mapping[int, tuple[Submission, ...]]
    scores: Mapping[int, HandScore]
    graded: set[int]
    now: datetime


def deliverables_of(enrollment: Enrollment) -> tuple[DeliverableState, ...]:
    """All deliverables of the offering as this person sees them, in order. Sixteen queries at most."""
    listed = list(listed_in(enrollment.offering))
    if enrollment.is_staff:
        return _for_staff(enrollment, listed)
    known = _known(enrollment, listed)
    return tuple(_for_student(row, known) for row in listed)


def listed_in(offering: Offering) -> Sequence[Deliverable]:
    """The deliverables with their assignments, in order. One query."""
    found = Deliverable.objects.filter(assignment__offering=offering).select_related("assignment")
    rows = list(found.order_by("assignment__number", "pk"))
    for row in rows:
        row.assignment.offering = offering
    return rows


def attempts_of(enrollment: Enrollment, deliverables: Sequence[Deliverable]) -> dict[int, tuple[Submission, ...]]:
    """By assignment id, what this student is an author of, oldest first; the last one counts. One query."""
    assignments = [row.assignment_id for row in deliverables]
    own = Submission.objects.filter(is_of([enrollment.pk]), assignment__in=assignments).distinct().order_by("pk")
    found: dict[int, tuple[Submission, ...]] = {}
    for row in own:
        found[row.assignment_id] = (*found.get(row.assignment_id, ()), row)
    return found


def address(deliverable: Deliverable) -> str:
    """Its page."""
    return reverse("deliverable", args=[deliverable.assignment.offering.slug, deliverable.assignment.slug])


def _known(enrollment: Enrollment, listed: Sequence[Deliverable]) -> _Known:
    crew, attempts = crew_of(enrollment), attempts_of(enrollment, listed)
    counting = [rows[-1] for rows in attempts.values()]
    released = released_since(counting)
    return _Known(
        crew=crew,
        due=due_dates(enrollment, crew.pks, [row.assignment for row in listed]),
        attempts=attempts,
        scores=hand_scores(row for row in counting if row.pk in released),
        graded=graded_among(counting),
        now=clock.now(),
    )


def graded_among(submissions: Iterable[Submission]) -> set[int]:
    """Ids of those that have marks. One query."""
    ids = [submission.pk for submission in submissions]
    return set(Review.objects.counting().filter(submission__in=ids).values_list("submission_id", flat=True))


def _for_student(row: Deliverable, known: _Known) -> DeliverableState:
    due, attempts = known.due[row.assignment_id], known.attempts.get(row.assignment_id, ())
    is_open = row.assignment.is_open(known.now)
    accepts = is_open and known.now.replace(microsecond=0) <= due.due_at
    latest = attempts[-1] if attempts else None
    score = known.scores.get(latest.pk) if latest else None
    graded = latest is not None and latest.pk in known.graded
    return DeliverableState(
        deliverable=row,
        due=due,
        url=address(row) if is_open else None,
        chip=chip_of(row, latest, accepts=accepts, is_open=is_open, score=score, graded=graded),
        accepts=accepts,
        latest=latest,
        attempts=len(attempts),
        score=score.total if score else None,
        max_score=score.points if score else row.assignment.points,
        why_not=known.crew.why_not if accepts else "",
    )


def chip_of(
    row: Deliverable,
    latest: Submission | None,
    *,
    accepts: bool,
    is_open: bool,
    score: HandScore | None,
    graded: bool,
) -> StateChip:
    """The state of a student's work in one chip."""
    if latest is None:
        if not is_open:
            return StateChip("muted", f"Opens {day(row.assignment.opens_at)}")
        return StateChip("muted", "Not handed in yet", "circle") if accepts else StateChip("fail", "Not handed in")
    if score is not None:
        return StateChip("pass", "Released", "check")
    return StateChip("run", "Graded, not released", "clock") if graded else StateChip("pass", "Handed in")


def _for_staff(enrollment: Enrollment, listed: Sequence[Deliverable]) -> tuple[DeliverableState, ...]:
    now = clock.now()
    due = due_dates(enrollment, (), [row.assignment for row in listed])
    counted: dict[int, int] = {}
    for assignment in latest_submissions(*(row.assignment for row in listed)).values_list("assignment_id", flat=True):
        counted[assignment] = counted.get(assignment, 0) + 1
    return tuple(
        DeliverableState(
            deliverable=row,
            due=due[row.assignment_id],
            url=address(row),
            chip=_staff_chip(row, now, counted.get(row.assignment_id, 0)),
            accepts=False,
            max_score=row.assignment.points,
            handed_in=counted.get(row.assignment_id, 0),
        )
        for row in listed
    )


def _staff_chip(row: Deliverable, now: datetime, handed_in: int) -> StateChip:
    if not row.assignment.is_open(now):
        return StateChip("muted", f"Opens {day(row.assignment.opens_at)}")
    return StateChip("pass" if handed_in else "muted", f"{handed_in} handed in", "inbox")
