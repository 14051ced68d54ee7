"""Readings in the gradebook: what each student got by hand, for the whole class at once and for one student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from courses.pages import StateChip, day
from readings.models import Reading
from reviews.marking.models import Adjustment, Mark, Purpose
from reviews.marking.scores import hand_scores, latest_of_students, latest_submissions
from reviews.releases.models import Release, ReleaseItem
from reviews.releases.standing import STANDS, released_since, taken_back, wholly_released
from reviews.scores import CENT
from submissions.models import Submission

NOTHING = StateChip("muted", "Nothing handed in")
UNGRADED = StateChip("run", "Handed in", "inbox")
HIDDEN = StateChip("warn", "Graded, not released")
RELEASED = StateChip("pass", "Released")
TAKEN_BACK = StateChip("warn", "Taken back", "undo-2")


@dataclass(frozen=True)
class HandTotal:
    """What counts of one student's reading. Without marks there is no score."""

    submission_pk: int
    score: Decimal | None
    max_score: Decimal | None
    released: bool


@dataclass(frozen=True)
class ReadingGrade:
    """A reading as its student sees it: no number before the release. `note` says why a score was taken back."""

    title: str
    chip: StateChip
    score: Decimal | None
    max_score: Decimal
    submission_pk: int | None
    note: str


def class_totals(readings: Sequence[Assignment]) -> dict[tuple[int, int], HandTotal]:
    """By student and reading, for everyone who handed in. Six queries, and the database adds up."""
    work = latest_submissions(*readings).order_by()
    counting = work.values("pk")
    marks = Mark.objects.filter(review__purpose=Purpose.FIRST, review__submission__in=counting).order_by()
    by_hand = {
        pk: (_cents(score), _cents(most))
        for pk, score, most in marks.values_list("review__submission").annotate(Sum("score"), Sum("points"))
    }
    changed = Adjustment.objects.filter(submission__in=counting).order_by()
    adjusted = dict(changed.values_list("submission").annotate(Sum("points")))
    shown = set(ReleaseItem.objects.filter(submission__in=counting, **STANDS).values_list("submission", flat=True))
    whole = wholly_released(reading.pk for reading in readings)
    return {
        (student, reading): _total(pk, by_hand.get(pk), adjusted.get(pk), released=pk in shown or reading in whole)
        for (student, reading), pk in latest_of_students(*readings).items()
    }


def reading_grades(enrollment: Enrollment) -> tuple[ReadingGrade, ...]:
    """The readings that students see, in order, for this student. Nine queries."""
    listed = Reading.objects.filter(assignment__offering=enrollment.offering, hidden=False).select_related("assignment")
    assignments = [reading.assignment for reading in listed]
    handed_in = Submission.objects.filter(enrollment=enrollment, assignment__in=assignments).order_by("pk")
    work = {submission.assignment_id: submission for submission in handed_in}
    scores, shown, hidden = hand_scores(work.values()), released_since(work.values()), taken_back(work.values())
    grades = []
    for assignment in assignments:
        submission = work.get(assignment.pk)
        score = scores.get(submission.pk) if submission else None
        released = submission is not None and submission.pk in shown
        back = hidden.get(submission.pk) if submission else None
        grades.append(
            ReadingGrade(
                title=assignment.label,
                chip=_chip(assignment, submission, graded=score is not None, released=released, back=back),
                score=score.total if score and released else None,
                max_score=score.points if score and released else assignment.points,
                submission_pk=submission.pk if submission else None,
                note=back.retract_reason if back else "",
            )
        )
    return tuple(grades)


def _chip(
    assignment: Assignment, submission: Submission | None, *, graded: bool, released: bool, back: Release | None
) -> StateChip:
    if submission is None:
        return NOTHING if assignment.is_open(clock.now()) else StateChip("muted", f"Opens {day(assignment.opens_at)}")
    if back is not None:
        return TAKEN_BACK
    if not graded:
        return UNGRADED
    return RELEASED if released else HIDDEN


def _total(pk: int, marks: tuple[Decimal, Decimal] | None, adjustment: Decimal | None, *, released: bool) -> HandTotal:
    if marks is None:
        return HandTotal(pk, None, None, released)
    score, most = marks
    return HandTotal(pk, min(max(score + _cents(adjustment or Decimal(0)), Decimal(0)), most), most, released)


def _cents(value: Decimal) -> Decimal:
    """SQLite adds in binary; points are hundredths."""
    return Decimal(value).quantize(CENT)
