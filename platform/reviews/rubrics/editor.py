"""The editor as a page: what was typed, with what is wrong beside each field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count

from assignments.models import Assignment
from reviews.marking.models import Mark
from reviews.models import Rubric, RubricItem
from reviews.rubrics.rules import of_its_kind
from reviews.rubrics.spec import RubricSpec, item_spec, spec_of
from reviews.rubrics.typed import MOST_ITEMS, TypedItem, TypedRubric, act_on, bring_back
from reviews.rubrics.words import differences


@dataclass(frozen=True)
class Field:
    """One field of the form; `error` is empty where nothing is wrong."""

    name: str
    id: str
    value: str
    error: str


@dataclass(frozen=True)
class EditLevel:
    """A row of levels; `place` counts from 0, as the buttons do."""

    place: int
    key: Field
    points: Field
    label: Field

    @property
    def fields(self) -> tuple[Field, ...]:
        """All three, for what is wrong with them below the row."""
        return self.key, self.points, self.label


@dataclass(frozen=True)
class EditItem:
    """An item of the form. `marks` is how many marks it has."""

    uid: str
    name: str
    place: int
    is_last: bool
    title: Field
    points: Field
    description: Field
    note: Field
    levels: tuple[EditLevel, ...]
    levels_error: str
    marks: int


@dataclass(frozen=True)
class EditPage:
    """The form, items that can be brought back, and what the person must know first. `focus`: the item to type in next."""

    assignment: Assignment
    revision: int
    also: bool
    items: tuple[EditItem, ...]
    retired: tuple[RubricItem, ...]
    others: int
    full: bool
    errors: int
    error: str
    conflict: str
    theirs: tuple[str, ...]
    notice: str
    focus: str


def edit_page(
    rubric: Rubric,
    typed: TypedRubric,
    errors: Mapping[str, str] | None = None,
    *,
    conflict: str = "",
    theirs: tuple[str, ...] = (),
    notice: str = "",
    focus: str = "",
) -> EditPage:
    """Three queries, however many items and marks there are."""
    wrong = errors or {}
    stored = list(RubricItem.ever.filter(rubric=rubric.pk))
    marks = marks_of(rubric)
    known = _Known(wrong, marks, {item.pk: item.task_id for item in stored})
    here = {item.pk for item in typed.items}
    return EditPage(
        assignment=rubric.assignment,
        revision=typed.revision,
        also=typed.also,
        items=tuple(_item(item, place, len(typed.items), known) for place, item in enumerate(typed.items, start=1)),
        retired=tuple(item for item in stored if item.pk not in here and marks.get(item.pk)),
        others=of_its_kind(rubric.assignment).count(),
        full=len(typed.items) >= MOST_ITEMS,
        errors=len(wrong),
        error=wrong.get("", ""),
        conflict=conflict,
        theirs=theirs,
        notice=notice,
        focus=focus,
    )


def conflict_page(rubric: Rubric, typed: TypedRubric, spec: RubricSpec | None, sentence: str) -> EditPage:
    """All that was typed, over the revision that is stored now, and what saving it would change about that."""
    over = TypedRubric(rubric.revision, typed.items, typed.also)
    theirs = differences(spec_of(rubric), spec) if spec else ()
    return edit_page(rubric, over, conflict=sentence, theirs=theirs)


def pressed(rubric: Rubric, typed: TypedRubric, act: str) -> TypedRubric:
    """The form after a press of one of its buttons; `back:UID` brings a retired item back."""
    verb, _, uid = act.partition(":")
    if verb != "back":
        return act_on(typed, act)
    items = RubricItem.ever.filter(rubric=rubric.pk).prefetch_related("levels")
    found = next((item for item in items if str(item.pk) == uid), None)
    return bring_back(typed, item_spec(found)) if found else typed


def marks_of(rubric: Rubric) -> dict[int, int]:
    """How many marks each item has, retired ones included. One query."""
    marks = Mark.objects.filter(item__rubric=rubric.pk).order_by()
    return dict(marks.values_list("item").annotate(Count("pk")))


@dataclass(frozen=True)
class _Known:
    """What the rows of the form are shown with: errors by field, marks and stored names by item."""

    wrong: Mapping[str, str]
    marks: Mapping[int, int]
    names: Mapping[int, str]


def _item(typed: TypedItem, place: int, count: int, known: _Known) -> EditItem:
    def field(part: str, value: str) -> Field:
        name = f"{typed.uid}-{part}"
        return Field(name, f"f-{name}", value, known.wrong.get(name, ""))

    return EditItem(
        uid=typed.uid,
        name=known.names.get(typed.pk or 0, typed.name),
        place=place,
        is_last=place == count,
        title=field("title", typed.title),
        points=field("points", typed.points),
        description=field("description", typed.description),
        note=field("note", typed.note),
        levels=tuple(
            _level(typed.uid, row, (level.key, level.points, level.label), known.wrong)
            for row, level in enumerate(typed.levels)
        ),
        levels_error=known.wrong.get(f"{typed.uid}-levels", ""),
        marks=known.marks.get(typed.pk or 0, 0),
    )


def _level(uid: str, place: int, values: tuple[str, str, str], wrong: Mapping[str, str]) -> EditLevel:
    parts = zip(("key", "level-points", "label"), values, strict=True)
    fields = [
        Field(f"{uid}-{part}", f"f-{uid}-{part}-{place}", value, wrong.get(f"{uid}-{part}-{place}", ""))
        for part, value in parts
    ]
    return EditLevel(place, *fields)
