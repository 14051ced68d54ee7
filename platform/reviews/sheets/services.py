"""Storing what a preview showed: exactly that, as one act, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core import signing
from django.db import transaction

from accounts.models import User
from assignments.models import Assignment, Kind
from audit.services import record
from reviews.marking.models import Review
from reviews.marking.services import GivenMark, ReviewConflict, ReviewRefused, save_review
from reviews.models import RubricItem
from reviews.services import OverrideRefused, override
from reviews.sheets.diff import Change, SheetDiff
from reviews.sheets.parse import SheetRefused
from reviews.sheets.rows import SheetRow, sheet_of
from submissions.models import Submission

SALT, LASTS_S = "reviews.sheets.preview", 3600
REASON_MIN = 3
CHANGED = (
    "Scores have changed since the preview, so nothing was stored. Send the file again to see what it would change now."
)


@dataclass(frozen=True)
class _Planned:
    """A change as the preview signed it: what was there, and what is to be there."""

    submission: int
    revision: int
    before: dict[str, str | None]
    after: dict[str, str]
    comment: str | None


def sign(assignment: Assignment, diff: SheetDiff, *, by: User) -> str:
    """The preview's changes as text that nobody else can make or alter; it holds for an hour, for this person."""
    changes = [_plain(change) for change in diff.changes]
    return signing.dumps({"assignment": assignment.pk, "by": by.pk, "changes": changes}, salt=SALT, compress=True)


@transaction.atomic
def apply(*, assignment: Assignment, signed: str, reason: str, by: User) -> int:
    """Store the previewed changes; returns how many people's scores changed.

    Raises `SheetRefused` when the preview is not this one's, is too old, or when any of its scores changed meanwhile.
    """
    planned = _planned(assignment, signed, by)
    if len(reason.strip()) < REASON_MIN:
        raise SheetRefused("Please give a reason; it is kept with every score that changes.")
    Assignment.objects.select_for_update().get(pk=assignment.pk)
    rows = {row.submission.pk: row for row in sheet_of(assignment).rows if row.submission is not None}
    if any(not _still(rows.get(change.submission), change) for change in planned):
        raise SheetRefused(CHANGED)
    items = {item.task_id: item for item in RubricItem.objects.filter(rubric__assignment=assignment)}
    store = _override if assignment.kind == Kind.LAB else _mark
    try:
        for change in planned:
            submission = rows[change.submission].submission
            assert submission is not None  # the rows were chosen by it
            store(submission, change, items, by, reason.strip())
    except ReviewConflict as conflict:
        raise SheetRefused(CHANGED) from conflict
    except (ReviewRefused, OverrideRefused) as refusal:
        raise SheetRefused(f"Nothing was stored: {refusal}") from refusal
    record(
        actor=by,
        action="imported scores",
        subject=assignment,
        offering_id=assignment.offering_id,
        after=f"{len(planned)} changed",
        reason=reason.strip(),
    )
    return len(planned)


def _plain(change: Change) -> dict[str, Any]:
    assert change.row.submission is not None  # a change is of somebody's work
    return {
        "submission": change.row.submission.pk,
        "revision": change.row.revision,
        "before": {item.task_id: None if item.before is None else str(item.before) for item in change.items},
        "after": {item.task_id: str(item.after) for item in change.items},
        "comment": change.comment,
    }


def _planned(assignment: Assignment, signed: str, by: User) -> list[_Planned]:
    try:
        found = signing.loads(signed, salt=SALT, max_age=LASTS_S)
    except signing.SignatureExpired as expired:
        raise SheetRefused("The preview is older than an hour. Send the file again.") from expired
    except signing.BadSignature as bad:
        raise SheetRefused("This is not a preview of ours, so nothing was stored. Send the file again.") from bad
    if (found["assignment"], found["by"]) != (assignment.pk, by.pk):
        raise SheetRefused("This preview belongs to another assignment or person. Send the file again.")
    return [_Planned(**change) for change in found["changes"]]


def _still(row: SheetRow | None, change: _Planned) -> bool:
    """Whether everything that the preview compared with is as it was."""
    if row is None or row.revision != change.revision:
        return False
    return all(
        row.points.get(item) == (None if before is None else Decimal(before)) for item, before in change.before.items()
    )


def _mark(submission: Submission, change: _Planned, items: dict[str, RubricItem], by: User, reason: str) -> None:
    """Over what the review has: other marks, their comments, the note and the flag stay."""
    review = Review.objects.counting().filter(submission=submission).first()
    marks = {mark.item_id: GivenMark(mark.score, mark.comment) for mark in review.marks.all()} if review else {}
    current = {item.pk for item in items.values()}
    marks = {pk: mark for pk, mark in marks.items() if pk in current}
    for name, points in change.after.items():
        if name not in items:
            raise SheetRefused(CHANGED)
        pk = items[name].pk
        marks[pk] = GivenMark(Decimal(points), marks[pk].comment if pk in marks else "")
    comment = review.comment if review else ""
    save_review(
        submission=submission,
        by=by,
        marks=marks,
        comment=comment if change.comment is None else change.comment,
        staff_note=review.staff_note if review else "",
        flagged=review.flagged if review else False,
        revision=change.revision,
        reason=reason,
    )


def _override(submission: Submission, change: _Planned, items: dict[str, RubricItem], by: User, reason: str) -> None:
    for name, points in change.after.items():
        if name not in items:
            raise SheetRefused(CHANGED)
        override(submission=submission, item=items[name], score=Decimal(points), reason=reason, by=by)
