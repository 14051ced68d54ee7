"""Saving marks from the queue's page, taking the last save back, and showing names."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from reviews.agreement.double import keep_double_reading
from reviews.bank import bank_comments, count_use
from reviews.marking.models import Adjustment, Mark, Review
from reviews.marking.services import GivenMark, adjust, line, save_review
from reviews.queue.claims import release
from reviews.queue.undo import Former, Step
from submissions.models import Submission


class UndoRefused(Exception):  # noqa: N818 - an answer to the grader, not a fault
    """A save that is not taken back; the text says why. Nothing has changed."""


@dataclass(frozen=True)
class Given:
    """What a grader typed and chose, whole. `revision` is the one that the page showed, 0 for none."""

    marks: dict[int, GivenMark]
    comment: str = ""
    staff_note: str = ""
    flagged: bool = False
    revision: int = 0
    spent_s: int = 0
    adjust_points: Decimal | None = None
    adjust_reason: str = ""


@transaction.atomic
def save(*, submission: Submission, purpose: str, given: Given, by: User) -> Step:
    """Store the marks, and the adjustment if there is one; the claim is free again. Returns what taking it back needs.

    Raises `ReviewRefused` and `ReviewConflict` as `save_review` does; then nothing is stored. The same save twice is one.
    """
    Submission.objects.select_for_update().get(pk=submission.pk)
    stored = Review.objects.prefetch_related("marks").filter(submission=submission, purpose=purpose).first()
    former = former_of(stored) if stored else None
    review = save_review(
        submission=submission,
        by=by,
        marks=given.marks,
        purpose=purpose,
        comment=given.comment,
        staff_note=given.staff_note,
        flagged=given.flagged,
        revision=given.revision,
        spent_s=given.spent_s,
    )
    repeated = stored is not None and stored.revision == review.revision
    adjustment = None
    if given.adjust_points is not None and not repeated:
        adjustment = adjust(submission=submission, points=given.adjust_points, reason=given.adjust_reason, by=by)
    if not repeated:
        _count_uses(submission.assignment, given, former)
    release(submission_pk=submission.pk, grader=by)
    return Step(
        assignment_pk=submission.assignment_id,
        submission_pk=submission.pk,
        purpose=purpose,
        revision=review.revision,
        former=former,
        adjustment_pk=adjustment.pk if adjustment else None,
        repeated=repeated,
    )


@transaction.atomic
def take_back(*, step: Step, submission: Submission, by: User) -> Former:
    """Bring back the marks from before a save; a first save leaves none. Returns the marks that were taken back.

    Raises `UndoRefused` where somebody else would lose something by it; then nothing changes.
    """
    Submission.objects.select_for_update().get(pk=submission.pk)
    review = Review.objects.filter(submission=submission, purpose=step.purpose).select_related("grader").first()
    if review is None or review.revision != step.revision or review.grader_id != by.pk:
        who = review.grader.name if review and review.grader and review.grader_id != by.pk else "Someone"
        raise UndoRefused(f"{who} has changed this one since you saved it, so your save was not taken back.")
    if step.former is None and submission.assignment.is_released(clock.now()):
        raise UndoRefused(
            "The scores are released, so the marks cannot go away. Change them here instead; the change is on record."
        )
    taken, before = former_of(review), line(review)
    if step.adjustment_pk:
        _forget_adjustment(step.adjustment_pk, by)
    after = _bring_back(review, step.former) if step.former else ""
    if not step.former:
        review.delete()
    keep_double_reading(submission)
    record(
        actor=by,
        action="took back",
        subject=submission,
        offering_id=submission.assignment.offering_id,
        before=before,
        after=after,
    )
    return taken


def show_names(*, assignment: Assignment, by: User) -> None:
    """Put on record that a grader looks at the names of an assignment's students."""
    record(actor=by, action="names shown", subject=assignment, offering_id=assignment.offering_id)


def _count_uses(assignment: Assignment, given: Given, former: Former | None) -> None:
    """Count the comments of the bank that stand in the marks now and did not before."""
    before = {mark["item_id"]: str(mark["comment"]) for mark in former.marks} if former else {}
    for item, texts in bank_comments(assignment).items():
        said = given.marks[item].comment if item in given.marks else ""
        for text in texts:
            if text in said and text not in before.get(item, ""):
                count_use(item_id=item, text=text)


def former_of(review: Review) -> Former:
    """A review as it stands, to bring it back later."""
    fields = [field.attname for field in Mark._meta.concrete_fields if field.name not in {"id", "review"}]  # noqa: SLF001
    marks = tuple({name: _plain(getattr(mark, name)) for name in fields} for mark in review.marks.all())
    return Former(review.grader_id, review.comment, review.staff_note, review.flagged, review.spent_s, marks)


def _bring_back(review: Review, former: Former) -> str:
    review.grader_id, review.comment, review.staff_note = former.grader_pk, former.comment, former.staff_note
    review.flagged, review.spent_s = former.flagged, former.spent_s
    # a number is never used twice: a page that is still open must not take the old marks for the ones it shows
    review.revision, review.saved_at = review.revision + 1, clock.now()
    review.save()
    review.marks.all().delete()
    Mark.objects.bulk_create(Mark(review=review, **mark) for mark in former.marks)
    return line(review)


def _forget_adjustment(pk: int, by: User) -> None:
    adjustment = Adjustment.objects.filter(pk=pk).select_related("submission__assignment").first()
    if adjustment is None:
        return
    record(
        actor=by,
        action="took back an adjustment",
        subject=adjustment.submission,
        offering_id=adjustment.submission.assignment.offering_id,
        before=f"{adjustment.points:+}",
        reason=adjustment.reason,
    )
    adjustment.delete()


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else value
