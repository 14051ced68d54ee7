"""Scores by hand: set, withdrawn, released. Each act leaves its line in the audit trail."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from reviews.models import Rubric, RubricItem, RubricScore
from submissions.models import Submission

REASON_MIN = 3


class OverrideRefused(Exception):  # noqa: N818 - an answer to staff, not a fault
    """A score that cannot be set; the text says why."""


@transaction.atomic
def sync_rubric(*, assignment: Assignment) -> Rubric:
    """Make the rubric follow the tasks of the assignment's lab. Items with scores keep them; none is removed."""
    rubric, _ = Rubric.objects.get_or_create(assignment=assignment)
    before = _items(rubric)
    tasks = assignment.lab.summary.tasks if assignment.lab else ()
    for position, task in enumerate(tasks, start=1):
        RubricItem.objects.update_or_create(
            rubric=rubric,
            task_id=task.id,
            defaults={"title": task.title, "points": Decimal(str(task.points)), "position": position},
        )
    if before and before != (after := _items(rubric)):
        record(
            actor=None,
            action="changed the rubric",
            subject=rubric,
            offering_id=assignment.offering_id,
            before=before,
            after=after,
            reason="The lab's tasks changed.",
        )
    return rubric


def _items(rubric: Rubric) -> str:
    return "; ".join(f"{item.title}: {item.points.normalize():f}" for item in rubric.items.all())


def check_override(*, item: RubricItem, score: Decimal, reason: str) -> None:
    """Raise `OverrideRefused` for a score outside 0 to the item's points, or without a reason."""
    if not 0 <= score <= item.points:
        raise OverrideRefused(f"{item.title} takes 0 to {item.points.normalize():f} points, not {score.normalize():f}.")
    if len(reason.strip()) < REASON_MIN:
        raise OverrideRefused("Please give a reason; the student reads it beside the score.")


@transaction.atomic
def override(*, submission: Submission, item: RubricItem, score: Decimal, reason: str, by: User) -> RubricScore:
    """Set a task's score by hand. The student sees it once it is released; a change waits for release again."""
    check_override(item=item, score=score, reason=reason)
    before = RubricScore.objects.filter(submission=submission, item=item).first()
    row, _ = RubricScore.objects.update_or_create(
        submission=submission,
        item=item,
        defaults={
            "title": item.title,
            "points": item.points,
            "score": score,
            "reason": reason.strip(),
            "overridden_by": by,
            "overridden_at": clock.now(),
            "released_at": None,
        },
    )
    record(
        actor=by,
        action="overrode",
        subject=submission,
        offering_id=submission.assignment.offering_id,
        before=f"{item.title}: {before.score if before else 'automatic'}",
        after=f"{item.title}: {score}",
        reason=reason.strip(),
    )
    return row


@transaction.atomic
def withdraw_override(*, submission: Submission, item: RubricItem, by: User) -> bool:
    """Go back to the automatic score; False when it stood already."""
    row = RubricScore.objects.filter(submission=submission, item=item).first()
    if row is None:
        return False
    record(
        actor=by,
        action="withdrew override",
        subject=submission,
        offering_id=submission.assignment.offering_id,
        before=f"{item.title}: {row.score}",
        after=f"{item.title}: automatic",
        reason=row.reason,
    )
    row.delete()
    return True


@transaction.atomic
def release(*, submission: Submission, by: User, items: Collection[RubricItem] | None = None) -> int:
    """Show the student every score by hand of this submission, or those of `items`; returns how many became visible."""
    pending = submission.overrides.filter(released_at=None)
    if items is not None:
        pending = pending.filter(item__in=items)
    titles = ", ".join(f"{row.title}: {row.score}" for row in pending)
    count = pending.update(released_at=clock.now())
    if count:
        record(
            actor=by,
            action="released",
            subject=submission,
            offering_id=submission.assignment.offering_id,
            after=titles,
        )
    return count
