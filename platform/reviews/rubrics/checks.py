"""From what was typed to a rubric that can be saved, or to what is wrong with it, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.utils.text import slugify

from reviews.marking.services import number
from reviews.models import Rubric, RubricItem
from reviews.rubrics.spec import ItemSpec, LevelSpec, RubricSpec
from reviews.rubrics.typed import DIGITS, MOST_ITEMS, MOST_LEVELS, TypedItem, TypedRubric

MOST_POINTS = Decimal(1000)
LONGEST_NAME, LONGEST_TITLE, LONGEST_LABEL, LONGEST_TEXT = 40, 200, 120, 4000
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Checked:
    """The rubric that was meant, None while something is wrong; `errors` by the name of the field, "" for the whole."""

    spec: RubricSpec | None
    errors: Mapping[str, str]


def check(typed: TypedRubric, rubric: Rubric) -> Checked:
    """Read the form over this rubric. One query."""
    stored = dict(RubricItem.ever.filter(rubric=rubric.pk).values_list("pk", "task_id"))
    errors: dict[str, str] = {}
    if not typed.items:
        errors[""] = "A rubric has at least one item. Add one."
    if len(typed.items) > MOST_ITEMS:
        errors[""] = f"A rubric has at most {MOST_ITEMS} items. Remove some."
    taken: set[str] = set()
    items = [_item(item, stored, taken, errors) for item in typed.items]
    return Checked(None if errors else RubricSpec(tuple(items)), errors)


def _item(typed: TypedItem, stored: Mapping[int, str], taken: set[str], errors: dict[str, str]) -> ItemSpec:
    at = typed.uid
    if typed.pk is not None and typed.pk not in stored:
        errors[f"{at}-title"] = "This item is of another rubric. Remove it here, and add it as a new one."
    if not typed.title:
        errors[f"{at}-title"] = "Please give the item a title."
    _short(f"{at}-title", typed.title, LONGEST_TITLE, errors)
    _short(f"{at}-description", typed.description, LONGEST_TEXT, errors)
    _short(f"{at}-note", typed.note, LONGEST_TEXT, errors)
    name = stored.get(typed.pk or 0) or free_name(typed.name or typed.title, {*taken, *stored.values()})
    if name in taken:
        errors[f"{at}-title"] = f"Two items have the short name “{name}”. Remove one of them."
    taken.add(name)
    points = _points(f"{at}-points", typed.points, errors)
    if points == 0:
        errors.setdefault(f"{at}-points", "An item is worth more than 0 points.")
    return ItemSpec(
        name=name,
        title=typed.title,
        points=points,
        description=typed.description,
        grader_note=typed.note,
        levels=_levels(typed, points, errors),
        pk=typed.pk,
    )


def _levels(typed: TypedItem, most: Decimal, errors: dict[str, str]) -> tuple[LevelSpec, ...]:
    levels = []
    keys: set[str] = set()
    for place, level in enumerate(typed.levels):
        at = f"{typed.uid}-%s-{place}"
        if level.key not in DIGITS or len(level.key) != 1:
            errors[at % "key"] = "A key is one digit, 0 to 9."
        elif level.key in keys:
            errors[at % "key"] = f"Key {level.key} has a level already."
        keys.add(level.key)
        points = _points(at % "level-points", level.points, errors)
        if points > most and at % "level-points" not in errors and f"{typed.uid}-points" not in errors:
            errors[at % "level-points"] = f"The item has {number(most)} points; a level gives at most these."
        if not level.label:
            errors[at % "label"] = "Say in a few words what the level means."
        _short(at % "label", level.label, LONGEST_LABEL, errors)
        levels.append(LevelSpec(level.key, points, level.label))
    if len(levels) > MOST_LEVELS:
        errors[f"{typed.uid}-levels"] = f"An item has at most {MOST_LEVELS} levels, a digit each."
    return tuple(levels)


def _points(at: str, text: str, errors: dict[str, str]) -> Decimal:
    """The number; what is no number of points leaves an error, and counts as 0."""
    try:
        points = Decimal(text.replace(",", "."))
    except InvalidOperation:
        errors[at] = "Points are a number, such as 2 or 1.5."
        return Decimal(0)
    if not points.is_finite() or not 0 <= points <= MOST_POINTS:
        errors[at] = f"Points are between 0 and {MOST_POINTS}."
        return Decimal(0)
    if points != points.quantize(CENT):
        errors[at] = "Points have at most two decimals."
    return points.quantize(CENT)


def _short(at: str, text: str, most: int, errors: dict[str, str]) -> None:
    if len(text) > most:
        errors[at] = f"Please keep this below {most:,} characters; it has {len(text):,}."
    if "\x00" in text:
        errors[at] = "This text holds a character that cannot be stored. Type it again."


def free_name(wish: str, taken: set[str]) -> str:
    """A short name out of a title, or with a number behind it where another item has that."""
    base = slugify(wish)[: LONGEST_NAME - 4].strip("-_") or "item"
    tries = (base, *(f"{base}-{count}" for count in range(2, 1000)))
    return next(name for name in tries if name not in taken)
