"""What differs between two rubrics, in sentences: on the dry run, on a conflict, in the audit trail."""

from __future__ import annotations

from reviews.marking.services import number
from reviews.rubrics.spec import ItemSpec, LevelSpec, RubricSpec


def differences(before: RubricSpec, after: RubricSpec) -> tuple[str, ...]:
    """One sentence a difference, items by their place in `after`; empty where both say the same."""
    old, kept = {item.pk: item for item in before.items}, {item.pk for item in after.items}
    told = []
    for item in after.items:
        known = old.get(item.pk) if item.pk is not None else None
        told += _item(known, item) if known else [f"“{item.title}” is added, {number(item.points)} points."]
    told += [f"“{item.title}” leaves the rubric." for item in before.items if item.pk not in kept]
    if _order(before, after) != _order(after, before):
        told.append("The order of the items changes: " + ", ".join(item.title for item in after.items) + ".")
    return tuple(told)


def describe(spec: RubricSpec) -> str:
    """The whole rubric as text, an item a line: what the audit trail keeps as from and to."""
    return "\n".join(_line(item) for item in spec.items)


def _item(old: ItemSpec, new: ItemSpec) -> list[str]:
    told = []
    if old.title != new.title:
        told.append(f"“{old.title}” is called “{new.title}”.")
    if old.points != new.points:
        told.append(f"“{new.title}” has {number(new.points)} points instead of {number(old.points)}.")
    told += _levels(old, new)
    if old.description != new.description:
        told.append(f"The question of “{new.title}” is: {new.description or 'none'}")
    if old.grader_note != new.grader_note:
        told.append(f"The grader's note of “{new.title}” is: {new.grader_note or 'none'}")
    return told


def _levels(old: ItemSpec, new: ItemSpec) -> list[str]:
    told = []
    for level in new.levels:
        known = old.level(level.key)
        if known is None:
            told.append(f"“{new.title}” gets level {_level(level)}.")
        elif known.points != level.points:
            told.append(
                f"Level {level.key} of “{new.title}” gives {number(level.points)} points instead of {number(known.points)}."
            )
        if known and known.label != level.label:
            told.append(f"Level {level.key} of “{new.title}” means “{level.label}”, before “{known.label}”.")
    told += [f"Level {_level(level)} of “{new.title}” is gone." for level in old.levels if not new.level(level.key)]
    return told


def _order(one: RubricSpec, other: RubricSpec) -> list[int | None]:
    """The items of `one` that `other` has, too."""
    there = {item.pk for item in other.items}
    return [item.pk for item in one.items if item.pk is not None and item.pk in there]


def _line(item: ItemSpec) -> str:
    parts = [f"{item.title} ({item.name}), {number(item.points)} points"]
    parts += [f"levels: {'; '.join(_level(level) for level in item.levels)}"] if item.levels else []
    parts += [f"question: {item.description}"] if item.description else []
    parts += [f"note: {item.grader_note}"] if item.grader_note else []
    return " · ".join(parts)


def _level(level: LevelSpec) -> str:
    return f"{level.key} = {number(level.points)} ({level.label})"
