"""The rubric of a deliverable that is marked by hand."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from assignments.models import Assignment
from projects.deliverables.presets import LEVELS, RUBRICS, PresetItem
from reviews.models import Rubric, RubricItem, RubricLevel


@transaction.atomic
def give_rubric(*, assignment: Assignment, stage: str) -> Rubric | None:
    """Give a deliverable the usual items of its stage; its points become their sum. One that has a rubric keeps its own.

    A presentation gets none, and None comes back.
    """
    if stage not in RUBRICS:
        return None
    rubric, made = Rubric.objects.get_or_create(assignment=assignment)
    if not made:
        return rubric
    for position, preset in enumerate(RUBRICS[stage], start=1):
        _give_item(rubric, preset, position)
    assignment.points = Decimal(sum(preset.points for preset in RUBRICS[stage]))
    assignment.save(update_fields=["points"])
    return rubric


def _give_item(rubric: Rubric, preset: PresetItem, position: int) -> None:
    item = RubricItem.objects.create(
        rubric=rubric,
        task_id=preset.name,
        title=preset.title,
        points=Decimal(preset.points),
        position=position,
        description=preset.question,
    )
    best = len(LEVELS) - 1
    RubricLevel.objects.bulk_create(
        RubricLevel(item=item, key=str(best - place), points=Decimal(preset.points * percent) / 100, label=label)
        for place, (percent, label) in enumerate(LEVELS)
    )
