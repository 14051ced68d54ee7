"""One change of a rubric as a page: what it did to the rubric, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from assignments.models import Assignment
from courses.models import Enrollment
from reviews.marking.models import Purpose
from reviews.models import Rubric
from reviews.rubrics.models import MarkChange, RubricChange, RubricEdit
from reviews.rubrics.rules import why_not_revert
from reviews.rubrics.spec import from_json
from reviews.rubrics.words import differences


@dataclass(frozen=True)
class MarkLine:
    """A mark that a change gave other points."""

    title: str
    score_before: Decimal
    points_before: Decimal
    score_after: Decimal
    points_after: Decimal


@dataclass(frozen=True)
class ReviewLines:
    """A review whose marks a change gave other points, with the sum of the difference; `reading` is empty for a score."""

    student: str
    submission_pk: int
    reading: str
    gain: Decimal
    marks: tuple[MarkLine, ...]


@dataclass(frozen=True)
class EditLines:
    """What a change did to one rubric."""

    assignment: Assignment
    changes: tuple[str, ...]
    reviews: tuple[ReviewLines, ...]


@dataclass(frozen=True)
class ChangePage:
    """One act, whole."""

    assignment: Assignment
    change: RubricChange
    edits: tuple[EditLines, ...]
    why_not_revert: str
    is_instructor: bool


def change_page(enrollment: Enrollment, rubric: Rubric, change: RubricChange) -> ChangePage:
    """One change, with all that it did. Queries do not grow with the students."""
    edits = change.edits.select_related("rubric__assignment").prefetch_related(
        "marks__review__submission__enrollment__user"
    )
    return ChangePage(
        assignment=rubric.assignment,
        change=change,
        edits=tuple(_edit_lines(edit) for edit in edits),
        why_not_revert=why_not_revert(change),
        is_instructor=enrollment.is_instructor,
    )


def _edit_lines(edit: RubricEdit) -> EditLines:
    by_review: dict[int, list[MarkChange]] = {}
    for row in edit.marks.all():
        by_review.setdefault(row.review_id, []).append(row)
    lines = [_review_lines(rows) for rows in by_review.values()]
    return EditLines(
        assignment=edit.rubric.assignment,
        changes=differences(from_json(edit.before), from_json(edit.after)),
        reviews=tuple(sorted(lines, key=lambda row: (row.gain, row.student))),
    )


def _review_lines(rows: list[MarkChange]) -> ReviewLines:
    review = rows[0].review
    return ReviewLines(
        student=review.submission.who,
        submission_pk=review.submission_id,
        reading="" if review.purpose == Purpose.FIRST else review.get_purpose_display().lower(),
        gain=sum((row.score_after - row.score_before for row in rows), Decimal(0)),
        marks=tuple(
            MarkLine(row.title_after, row.score_before, row.points_before, row.score_after, row.points_after)
            for row in rows
        ),
    )
