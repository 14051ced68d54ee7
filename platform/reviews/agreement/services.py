"""Settling two readings, and the texts that all graders calibrate on. Each act is one transaction with its line in the trail."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from assignments.models import Kind
from audit.services import record
from config import clock
from courses.models import Offering
from reviews.agreement.models import CalibrationText, DoubleReading, Outcome
from reviews.marking.models import Purpose, Review
from reviews.marking.services import REASON_MIN, GivenMark, ReviewRefused, save_review
from submissions.models import Submission


@transaction.atomic
def settle(
    *,
    reading: DoubleReading,
    outcome: Outcome,
    marks: Mapping[int, Decimal],
    reason: str,
    revision: int,
    by: User,
) -> DoubleReading:
    """Decide between two readings, once. Where marks change, they are saved over revision `revision` of the score.

    `marks`, by item id, are read for the outcome SETTLED alone. Raises `ReviewRefused`, or `ReviewConflict` when the score is
    another one by now.
    """
    fresh = DoubleReading.objects.select_for_update().get(pk=reading.pk)
    if fresh.outcome:
        raise ReviewRefused(f"{fresh.settled_by or 'Somebody'} has settled this already; nothing was changed now.")
    if len(reason.strip()) < REASON_MIN:
        raise ReviewRefused("Please give a reason; it is kept in the audit log.")
    # before the marks are saved, so that these marks are not taken for a reading
    fresh.outcome, fresh.reason, fresh.settled_by, fresh.settled_at = outcome, reason.strip(), by, clock.now()
    fresh.save(update_fields=["outcome", "reason", "settled_by", "settled_at"])
    if outcome != Outcome.FIRST:
        _save_score(fresh, _adopted(fresh) if outcome == Outcome.SECOND else _set(fresh, marks), revision, by)
    record(
        actor=by,
        action="settled two readings",
        subject=fresh.submission,
        offering_id=fresh.submission.assignment.offering_id,
        before=f"difference {fresh.difference:+}",
        after=fresh.get_outcome_display(),
        reason=fresh.reason,
    )
    return fresh


@transaction.atomic
def choose_calibration(*, offering: Offering, number: int, by: User) -> CalibrationText:
    """Let all graders read the submission with this receipt number; choosing it twice is choosing it once."""
    works = Submission.objects.filter(assignment__offering=offering, assignment__kind=Kind.READING)
    submission = works.filter(pk=number).first()
    if submission is None:
        raise ReviewRefused(f"There is no summary #{number} in this offering. Look for the number on its receipt.")
    chosen, made = CalibrationText.objects.get_or_create(
        submission=submission, defaults={"chosen_by": by, "chosen_at": clock.now()}
    )
    if made:
        record(actor=by, action="chose for calibration", subject=submission, offering_id=offering.pk)
    return chosen


@transaction.atomic
def remove_calibration(*, text: CalibrationText, by: User) -> None:
    """Take a text out of the calibration set. What was read of it is kept, and is there again if it is chosen again."""
    offering_id = text.submission.assignment.offering_id
    record(actor=by, action="removed from calibration", subject=text.submission, offering_id=offering_id)
    text.delete()


def read_calibration(
    *, text: CalibrationText, marks: Mapping[int, Decimal], comment: str, revision: int, by: User
) -> Review:
    """Keep a grader's marks of a calibration text. They count for nobody. Only who chose the text may change theirs."""
    own = Review.objects.filter(submission=text.submission, purpose=Purpose.CALIBRATION, grader=by)
    if text.chosen_by_id != by.pk and own.exists():
        raise ReviewRefused("You have read this one, and seen how you compare. Your marks stay as they are.")
    return save_review(
        submission=text.submission,
        by=by,
        marks={item: GivenMark(score) for item, score in marks.items()},
        purpose=Purpose.CALIBRATION,
        comment=comment,
        revision=revision,
    )


def _adopted(reading: DoubleReading) -> tuple[dict[int, GivenMark], str]:
    """The second reading as it was made."""
    marks = {mark.item_id: GivenMark(mark.second, mark.second_comment) for mark in reading.marks.all()}
    return marks, reading.second_comment


def _set(reading: DoubleReading, marks: Mapping[int, Decimal]) -> tuple[dict[int, GivenMark], str]:
    """Other marks, with the comments of the reader who gave the same, or of the first."""
    both = {mark.item_id: mark for mark in reading.marks.all()}
    given = {}
    for item, score in marks.items():
        mark = both.get(item)
        agrees = mark is not None and mark.second == score != mark.first
        comment = "" if mark is None else mark.second_comment if agrees else mark.first_comment
        given[item] = GivenMark(score, comment)
    return given, reading.first_comment


def _save_score(reading: DoubleReading, given: tuple[dict[int, GivenMark], str], revision: int, by: User) -> None:
    marks, comment = given
    stored = Review.objects.counting().get(submission=reading.submission_id)
    save_review(
        submission=reading.submission,
        by=by,
        marks=marks,
        comment=comment,
        staff_note=stored.staff_note,
        flagged=stored.flagged,
        revision=revision,
        reason=reading.reason,
    )
