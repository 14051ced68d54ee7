"""Rubrics in a line."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from assignments.models import Assignment
from config import clock
from reviews.rubrics.services import rubric_of
from reviews.rubrics.spec import ItemSpec, LevelSpec, RubricSpec
from reviews.rubrics.typed import from_spec
from reviews.rubrics.writing import write


def levels(**points: float) -> tuple[LevelSpec, ...]:
    """`levels(k2=2, k0=0)`: a level a key."""
    return tuple(LevelSpec(key[1:], Decimal(str(value)), f"level {key[1:]}") for key, value in points.items())


def item(name: str, points: float = 2, pk: int | None = None, **given: float) -> ItemSpec:
    """An item with these levels, or with three of 0 to 2 points."""
    return ItemSpec(
        name, name.title(), Decimal(str(points)), levels=levels(**(given or {"k2": 2, "k1": 1, "k0": 0})), pk=pk
    )


def give_rubric(assignment: Assignment, *items: ItemSpec) -> RubricSpec:
    """Store a rubric, past the editor."""
    return write(rubric_of(assignment), RubricSpec(items), clock.now())


def change_item(spec: RubricSpec, place: int, **fields) -> RubricSpec:
    """The same rubric with one item changed."""
    items = list(spec.items)
    items[place] = msgspec.structs.replace(items[place], **fields)
    return RubricSpec(tuple(items))


def form_of(spec: RubricSpec, revision: int, **more: str) -> dict[str, list[str]]:
    """What a browser posts for this rubric."""
    data: dict[str, list[str]] = {}
    for name, value in from_spec(spec, revision).fields():
        data.setdefault(name, []).append(value)
    return data | {name: [value] for name, value in more.items()}
