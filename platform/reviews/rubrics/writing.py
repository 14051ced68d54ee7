"""What the services write: a rubric's rows, and marks that take new points."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F

from accounts.models import User
from audit.services import record
from reviews.marking.models import Mark, Review
from reviews.marking.services import line
from reviews.models import Rubric, RubricItem, RubricLevel
from reviews.rubrics.plan import Remark, remarked
from reviews.rubrics.spec import RubricSpec, spec_of


def write(rubric: Rubric, spec: RubricSpec, now: datetime) -> RubricSpec:
    """Make the stored rubric say this, and return it with the ids of new items.

    Items that it does not hold are retired; the assignment's points follow the sum.
    """
    kept = [item.pk for item in spec.items if item.pk is not None]
    rubric.items.exclude(pk__in=kept).update(retired_at=now)
    _write_items(rubric, spec)
    rubric.revision += 1
    rubric.save(update_fields=["revision"])
    rubric.assignment.points = spec.points
    rubric.assignment.save(update_fields=["points"])
    return spec_of(Rubric.objects.get(pk=rubric.pk))


def remark_all(
    remarks: Sequence[Remark], *, by: User | None, action: str, offering_id: int, reason: str
) -> dict[int, int]:
    """Give the marks their new points; each review gets its next revision and its line in the audit trail.

    Returns the revisions, by review id.
    """
    wanted = {row.mark.review_id for row in remarks}
    reviews = Review.objects.filter(pk__in=wanted).select_related("submission").prefetch_related("marks")
    before = {review.pk: line(review) for review in reviews}
    Mark.objects.bulk_update([remarked(row.mark, row) for row in remarks], ["title", "points", "score"])
    reviews.update(revision=F("revision") + 1)
    revisions = {}
    for review in reviews.all():
        revisions[review.pk] = review.revision
        record(
            actor=by,
            action=action,
            subject=review.submission,
            offering_id=offering_id,
            before=before[review.pk],
            after=line(review),
            reason=reason,
        )
    return revisions


def _write_items(rubric: Rubric, spec: RubricSpec) -> None:
    known = RubricItem.ever.filter(rubric=rubric).in_bulk()
    levels: list[RubricLevel] = []
    for position, item in enumerate(spec.items, start=1):
        row = known[item.pk] if item.pk is not None else RubricItem(rubric=rubric, task_id=item.name)
        row.title, row.points, row.position = item.title, item.points, position
        row.description, row.grader_note, row.retired_at = item.description, item.grader_note, None
        row.save()
        levels += (
            RubricLevel(item=row, key=level.key, points=level.points, label=level.label) for level in item.levels
        )
    RubricLevel.objects.filter(item__rubric=rubric, item__retired_at=None).delete()
    RubricLevel.objects.bulk_create(levels)
