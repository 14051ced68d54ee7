"""A rubric as a value: what the editor means, what a change stores, what a file holds. Nothing here reads or writes rows but `spec_of`."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from reviews.models import Rubric, RubricItem


class LevelSpec(msgspec.Struct, frozen=True):
    """A level: the digit that gives it, its points, what they mean."""

    key: str
    points: Decimal
    label: str


class ItemSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item. `pk` is that of the stored item which it is, None for a new one; `name` never changes once it is stored."""

    name: str
    title: str
    points: Decimal
    description: str = ""
    grader_note: str = ""
    levels: tuple[LevelSpec, ...] = ()
    pk: int | None = None

    def level(self, key: str | None) -> LevelSpec | None:
        """The level with this key, if there is one."""
        return next((level for level in self.levels if level.key == key), None)


class RubricSpec(msgspec.Struct, frozen=True):
    """The items in their order."""

    items: tuple[ItemSpec, ...]

    @property
    def points(self) -> Decimal:
        """What they add up to: the points of the assignment."""
        return sum((item.points for item in self.items), Decimal(0))

    def to_json(self) -> str:
        """As a change keeps it."""
        return msgspec.json.encode(self).decode()


def spec_of(rubric: Rubric) -> RubricSpec:
    """The rubric as it is stored; empty for one that is not. Two queries, none where items and levels are prefetched."""
    if rubric.pk is None:
        return RubricSpec(())
    items = rubric.items.all()
    if "items" not in getattr(rubric, "_prefetched_objects_cache", {}):
        items = items.prefetch_related("levels")
    return RubricSpec(tuple(item_spec(item) for item in items))


def item_spec(item: RubricItem) -> ItemSpec:
    """A stored item; reads its levels."""
    return ItemSpec(
        name=item.task_id,
        title=item.title,
        points=item.points,
        description=item.description,
        grader_note=item.grader_note,
        levels=tuple(LevelSpec(level.key, level.points, level.label) for level in item.levels.all()),
        pk=item.pk,
    )


def from_json(text: str) -> RubricSpec:
    """What `to_json` wrote."""
    return msgspec.json.decode(text, type=RubricSpec)


def for_another(spec: RubricSpec, own: RubricSpec) -> RubricSpec:
    """The same items for a rubric that has `own` now: an item with the name of one that is there is that one."""
    known = {item.name: item.pk for item in own.items}
    return RubricSpec(tuple(msgspec.structs.replace(item, pk=known.get(item.name)) for item in spec.items))


def same_content(one: RubricSpec, other: RubricSpec) -> bool:
    """Whether both say the same; the order of an item's levels is no content."""
    return _content(one) == _content(other)


def _content(spec: RubricSpec) -> list[ItemSpec]:
    ordered = (tuple(sorted(item.levels, key=lambda level: level.key)) for item in spec.items)
    return [
        msgspec.structs.replace(item, levels=levels, points=item.points.normalize())
        for item, levels in zip(spec.items, ordered, strict=True)
    ]
