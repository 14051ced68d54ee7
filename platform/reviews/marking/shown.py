"""A score by hand as its student reads it: each item's points with what they mean, and what the grader says about the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from reviews.marking.models import Adjustment, Mark
from reviews.marking.scores import HandScore, labels_of
from reviews.models import RubricItem


@dataclass(frozen=True)
class MarkView:
    """What an item got. `label` says what the points mean, where a level of the rubric says so."""

    score: Decimal
    points: Decimal
    label: str
    comment: str


@dataclass(frozen=True)
class GradeView:
    """The score as a whole. `grader` is for staff."""

    total: Decimal
    points: Decimal
    comment: str
    adjustments: tuple[Adjustment, ...]
    grader: str


def mark_views(score: HandScore | None) -> dict[int, MarkView]:
    """By item id. One query where there is a score."""
    if score is None:
        return {}
    labels = labels_of({mark.item_id for mark in score.marks})
    return {mark.item_id: _mark(mark, labels) for mark in score.marks}


def grade_view(score: HandScore, *, for_staff: bool) -> GradeView:
    """The whole of it."""
    grader = score.review.grader
    return GradeView(
        total=score.total,
        points=score.points,
        comment=score.review.comment,
        adjustments=score.adjustments,
        grader=grader.name if for_staff and grader else "",
    )


def retired_items(score: HandScore | None) -> list[RubricItem]:
    """Items that left the rubric after they were marked: their points still count, so they are still shown."""
    return [mark.item for mark in score.marks if mark.item.retired_at is not None] if score else []


def _mark(mark: Mark, labels: Mapping[tuple[int, Decimal], str]) -> MarkView:
    return MarkView(mark.score, mark.points, labels.get((mark.item_id, mark.score), ""), mark.comment)
