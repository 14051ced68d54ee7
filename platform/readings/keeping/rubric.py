"""The rubric of a reading that joins a list: that of the others, as it was edited."""

from __future__ import annotations

from django.db import transaction

from assignments.models import Assignment
from courses.models import Offering
from reviews.models import Rubric
from reviews.rubrics import give_summary_rubric


def newest_rubric(offering: Offering) -> Rubric | None:
    """The rubric of the reading that was added last."""
    rubrics = Rubric.objects.filter(assignment__offering=offering, assignment__reading__archived_at=None)
    return rubrics.exclude(assignment__reading=None).order_by("-assignment__reading__pk").first()


@transaction.atomic
def give_rubric(*, assignment: Assignment, like: Rubric | None) -> None:
    """Copy the items of `like`, with their levels; without one, the usual six items."""
    if like is None:
        give_summary_rubric(assignment=assignment)
        return
    rubric = Rubric.objects.create(assignment=assignment)
    for item in like.items.prefetch_related("levels"):
        levels = list(item.levels.all())
        item.pk, item.rubric = None, rubric
        item.save()
        for level in levels:
            level.pk, level.item = None, item
            level.save()
    assignment.points = sum((item.points for item in rubric.items.all()), start=assignment.points * 0)
    assignment.save(update_fields=["points"])
