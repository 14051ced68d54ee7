"""Keeps both readings of a submission side by side from the moment the second one is saved."""

from __future__ import annotations

from config import clock
from reviews.agreement.models import CORRECTIONS, DoubleMark, DoubleReading
from reviews.marking.models import Purpose, Review
from submissions.models import Submission


def keep_double_reading(submission: Submission) -> DoubleReading | None:
    """Store what both readers gave, once both have; None before. Call it whenever a reading was saved or taken back.

    A reader who soon corrects themselves is followed, and one who soon takes a reading back takes it out of here. What comes
    later, when the two may see each other's marks, and what somebody else makes of the score is no reading and changes nothing.
    """
    reviews = Review.objects.filter(submission=submission).exclude(purpose=Purpose.CALIBRATION)
    readings = {review.purpose: review for review in reviews}
    if len(readings) < 2:
        fresh = DoubleReading.objects.filter(submission=submission, outcome="", read_at__gt=clock.now() - CORRECTIONS)
        fresh.delete()
        return None
    first, second = readings[Purpose.FIRST], readings[Purpose.SECOND]
    kept, made = DoubleReading.objects.get_or_create(
        submission=submission,
        defaults={"first_grader": first.grader, "second_grader": second.grader, "read_at": clock.now()},
    )
    if not made and not _is_theirs(kept, first, second):
        return kept
    kept.first_comment, kept.second_comment = first.comment, second.comment
    kept.save(update_fields=["first_comment", "second_comment"])
    kept.marks.all().delete()
    DoubleMark.objects.bulk_create(_marks(kept, first, second))
    return kept


def _is_theirs(kept: DoubleReading, first: Review, second: Review) -> bool:
    graders = (first.grader_id, second.grader_id)
    return not kept.is_fixed(clock.now()) and (kept.first_grader_id, kept.second_grader_id) == graders


def _marks(kept: DoubleReading, first: Review, second: Review) -> list[DoubleMark]:
    """The items that both have: a rubric may have changed between the two."""
    given = {mark.item_id: mark for mark in second.marks.all()}
    return [
        DoubleMark(
            reading=kept,
            item_id=mark.item_id,
            title=mark.title,
            points=mark.points,
            first=mark.score,
            second=given[mark.item_id].score,
            first_comment=mark.comment,
            second_comment=given[mark.item_id].comment,
        )
        for mark in first.marks.all()
        if mark.item_id in given
    ]
