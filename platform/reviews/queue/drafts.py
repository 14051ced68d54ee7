"""What stands in the fields of the queue's page: stored marks, or what a grader typed and that is not stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from reviews.marking.models import Review
from reviews.marking.services import number
from reviews.queue.undo import Former


@dataclass(frozen=True)
class Draft:
    """By item id: the points and the comment, as text. `revision` is the stored one that they build on, 0 for none."""

    marks: dict[int, str] = field(default_factory=dict)
    comments: dict[int, str] = field(default_factory=dict)
    comment: str = ""
    staff_note: str = ""
    flagged: bool = False
    revision: int = 0
    adjust_points: str = ""
    adjust_reason: str = ""


def draft_of(review: Review | None) -> Draft:
    """The stored marks; empty fields where there are none."""
    if review is None:
        return Draft()
    marks = list(review.marks.all())
    return Draft(
        marks={mark.item_id: number(mark.score) for mark in marks},
        comments={mark.item_id: mark.comment for mark in marks},
        comment=review.comment,
        staff_note=review.staff_note,
        flagged=review.flagged,
        revision=review.revision,
    )


def draft_again(former: Former) -> Draft:
    """Marks that were taken back, for the fields of a submission that has none any more."""
    return Draft(
        marks={mark["item_id"]: number(Decimal(mark["score"])) for mark in former.marks},
        comments={mark["item_id"]: mark["comment"] for mark in former.marks},
        comment=former.comment,
        staff_note=former.staff_note,
        flagged=former.flagged,
    )
