"""The usual rubric of a reading summary."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from assignments.models import Assignment
from reviews.models import Rubric, RubricItem, RubricLevel
from reviews.presets import SUMMARY_ITEMS, SUMMARY_LEVELS


@transaction.atomic
def give_summary_rubric(*, assignment: Assignment) -> Rubric:
    """Give a reading the usual six items; its points become their sum. A reading that has a rubric keeps its own."""
    rubric, made = Rubric.objects.get_or_create(assignment=assignment)
    if not made:
        return rubric
    for position, preset in enumerate(SUMMARY_ITEMS, start=1):
        item = RubricItem.objects.create(
            rubric=rubric,
            task_id=preset.name,
            title=preset.title,
            points=Decimal(2),
            position=position,
            description=preset.question,
        )
        RubricLevel.objects.bulk_create(
            RubricLevel(item=item, key=str(points), points=points, label=label) for points, label in SUMMARY_LEVELS
        )
    assignment.points = Decimal(2 * len(SUMMARY_ITEMS))
    assignment.save(update_fields=["points"])
    return rubric
