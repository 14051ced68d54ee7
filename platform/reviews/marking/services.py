"""Saving a review: every item marked, nothing overwritten unseen, a line in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from audit.services import record
from config import clock
from reviews.agreement.double import keep_double_reading
from reviews.marking.models import Adjustment, Mark, Purpose, Review
from reviews.models import RubricItem
from submissions.models import Submission

REASON_MIN = 3
ACTIONS = {Purpose.FIRST: "graded", Purpose.SECOND: "graded again", Purpose.CALIBRATION: "calibrated"}


class ReviewRefused(Exception):  # noqa: N818 - an answer to the grader, not a fault
    """Marks that cannot be saved; the text says why. What was stored stays."""


class ReviewConflict(Exception):  # noqa: N818 - a fact for the page to resolve
    """Another grader saved this submission since the page was read."""

    def __init__(self, review: Review) -> None:
        super().__init__(f"{review.grader} has graded this one since you opened it.")
        self.review = review


@dataclass(frozen=True)
class GivenMark:
    """What a grader gave for one item.

    `level_key` None: the one that the mark has already, if its points stay; else the level that has these points, where just one has.
    """

    score: Decimal
    comment: str = ""
    level_key: str | None = None


@transaction.atomic
def save_review(
    *,
    submission: Submission,
    by: User,
    marks: Mapping[int, GivenMark],
    purpose: str = Purpose.FIRST,
    comment: str = "",
    staff_note: str = "",
    flagged: bool = False,
    revision: int = 0,
    spent_s: int = 0,
    reason: str = "",
) -> Review:
    """Store the marks, by item id, over revision `revision` of the review (0: there is none yet).

    Raises `ReviewRefused` unless every item of the rubric has a mark within its points, and `ReviewConflict` when the stored
    revision is another. Saving what is stored already changes nothing.
    """
    # one save a submission at a time, also where transactions run side by side; a rubric that is re-applied waits, too
    Submission.objects.select_for_update().get(pk=submission.pk)
    items = list(RubricItem.objects.filter(rubric__assignment=submission.assignment).prefetch_related("levels"))
    check_marks(items, marks)
    review = _stored(submission, purpose, by)
    before = line(review) if review else ""
    if review is not None and review.revision != revision:
        if review.grader_id == by.pk and _same(review, marks, comment, staff_note, flagged=flagged):
            return review
        raise ReviewConflict(review)
    if review is None:
        review = Review(submission=submission, purpose=purpose, revision=0)
    review.grader, review.saved_at, review.revision = by, clock.now(), review.revision + 1
    review.comment, review.staff_note, review.flagged = comment.strip(), staff_note.strip(), flagged
    review.spent_s += spent_s
    review.save()
    _store(review, items, marks)
    keep_double_reading(submission)
    record(
        actor=by,
        action=ACTIONS[Purpose(purpose)],
        subject=submission,
        offering_id=submission.assignment.offering_id,
        before=before,
        after=line(review),
        reason=reason,
    )
    return review


def check_marks(items: list[RubricItem], marks: Mapping[int, GivenMark]) -> None:
    """Raise `ReviewRefused` unless there is one mark an item, from 0 to the item's points."""
    if not items:
        raise ReviewRefused("This assignment has no rubric yet, so there is nothing to mark. Write the rubric first.")
    missing = [item.title for item in items if item.pk not in marks]
    if missing:
        raise ReviewRefused(f"Not marked yet: {', '.join(missing)}.")
    if unknown := set(marks) - {item.pk for item in items}:
        raise ReviewRefused(
            f"The rubric has changed since you opened this page ({len(unknown)} items are gone). Open it again; your comment is kept."
        )
    for item in items:
        score = marks[item.pk].score
        if not 0 <= score <= item.points:
            raise ReviewRefused(f"{item.title} takes 0 to {number(item.points)} points, not {number(score)}.")
        key = marks[item.pk].level_key
        if key is not None and score not in [level.points for level in item.levels.all() if level.key == key]:
            raise ReviewRefused(
                f"The rubric has changed since you opened this page: in “{item.title}”, {key} no longer gives "
                f"{number(score)} points. Open it again; your comment is kept."
            )


def level_of(item: RubricItem, given: GivenMark, stored: Mark | None) -> str | None:
    """The key of the level that is given, None for points beside the levels. Reads `item.levels`."""
    if given.level_key is not None:
        return given.level_key
    if stored is not None and stored.score == given.score:
        return stored.level_key
    keys = [level.key for level in item.levels.all() if level.points == given.score]
    return keys[0] if len(keys) == 1 else None


@transaction.atomic
def adjust(*, submission: Submission, points: Decimal, reason: str, by: User) -> Adjustment:
    """Add (or, below zero, take) points to the whole, with a reason that the student reads."""
    if len(reason.strip()) < REASON_MIN:
        raise ReviewRefused("Please give a reason; the student reads it beside the score.")
    if points == 0 or abs(points) > submission.assignment.points:
        raise ReviewRefused(f"An adjustment is at most {number(submission.assignment.points)} points, and not 0.")
    made = Adjustment.objects.create(
        submission=submission, points=points, reason=reason.strip(), made_by=by, made_at=clock.now()
    )
    record(
        actor=by,
        action="adjusted",
        subject=submission,
        offering_id=submission.assignment.offering_id,
        after=f"{points:+}",
        reason=reason.strip(),
    )
    return made


def line(review: Review) -> str:
    """The marks in one line, as the audit trail keeps them."""
    marks = "; ".join(f"{mark.title}: {number(mark.score)}" for mark in review.marks.all())
    return f"{marks}; comment: {review.comment}" if review.comment else marks


def number(value: Decimal) -> str:
    """Points without trailing zeros."""
    return f"{value.normalize():f}"


def _stored(submission: Submission, purpose: str, by: User) -> Review | None:
    reviews = Review.objects.filter(submission=submission, purpose=purpose)
    return (reviews.filter(grader=by) if purpose == Purpose.CALIBRATION else reviews).first()


def _store(review: Review, items: list[RubricItem], marks: Mapping[int, GivenMark]) -> None:
    stored = {mark.item_id: mark for mark in review.marks.all()}
    # marks of items that were retired since stay as they were given
    review.marks.filter(item__in=items).delete()
    Mark.objects.bulk_create(
        Mark(
            review=review,
            item=item,
            title=item.title,
            points=item.points,
            score=marks[item.pk].score,
            level_key=level_of(item, marks[item.pk], stored.get(item.pk)),
            comment=marks[item.pk].comment.strip(),
        )
        for item in items
    )


def _same(review: Review, marks: Mapping[int, GivenMark], comment: str, staff_note: str, *, flagged: bool) -> bool:
    stored = {mark.item_id: (mark.score, mark.comment) for mark in review.marks.filter(item__in=list(marks))}
    given = {pk: (mark.score, mark.comment.strip()) for pk, mark in marks.items()}
    return stored == given and (review.comment, review.staff_note, review.flagged) == (
        comment.strip(),
        staff_note.strip(),
        flagged,
    )
