"""The editor's form as it was typed: every field a string, right or wrong, so that nothing is lost on the way round."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from django.http import QueryDict

from reviews.marking.services import number
from reviews.rubrics.spec import ItemSpec, RubricSpec

MOST_ITEMS, MOST_LEVELS = 25, 10
UID = re.compile(r"(?:[1-9]\d{0,17}|new\d{1,4})")
DIGITS = "0123456789"


@dataclass(frozen=True)
class TypedLevel:
    """A row of an item's levels."""

    key: str = ""
    points: str = ""
    label: str = ""


@dataclass(frozen=True)
class TypedItem:
    """An item's fields. `uid` is the id of the stored item, or new1, new2, …; `name` counts for new ones alone."""

    uid: str
    name: str = ""
    title: str = ""
    points: str = ""
    description: str = ""
    note: str = ""
    levels: tuple[TypedLevel, ...] = ()

    @property
    def pk(self) -> int | None:
        """The stored item's id; None for a new one."""
        return int(self.uid) if self.uid.isdecimal() else None

    def fields(self) -> Iterator[tuple[str, str]]:
        """Name and value of each field of the form."""
        yield "item", self.uid
        for part in ("name", "title", "points", "description", "note"):
            yield f"{self.uid}-{part}", getattr(self, part)
        for level in self.levels:
            yield f"{self.uid}-key", level.key
            yield f"{self.uid}-level-points", level.points
            yield f"{self.uid}-label", level.label


@dataclass(frozen=True)
class TypedRubric:
    """The form: over revision `revision` of the rubric, and whether the others of its kind get the same."""

    revision: int
    items: tuple[TypedItem, ...]
    also: bool = False

    def fields(self) -> Iterator[tuple[str, str]]:
        """All that the form holds but `also`, for hidden fields."""
        yield "revision", str(self.revision)
        for item in self.items:
            yield from item.fields()


def from_spec(spec: RubricSpec, revision: int) -> TypedRubric:
    """The form of a rubric; items that are not stored get new ids."""
    items = []
    for place, item in enumerate(spec.items, start=1):
        items.append(_typed(item, str(item.pk) if item.pk is not None else f"new{place}"))
    return TypedRubric(revision, tuple(items))


def from_post(post: QueryDict) -> TypedRubric:
    """What came. Fields that are no field of this form are not looked at."""
    uids = [uid for uid in dict.fromkeys(post.getlist("item")) if UID.fullmatch(uid)][: MOST_ITEMS + 1]
    revision = post.get("revision", "")
    return TypedRubric(
        revision=int(revision) if re.fullmatch(r"\d{1,9}", revision) else -1,
        items=tuple(_posted(post, uid) for uid in uids),
        also=bool(post.get("also")),
    )


def act_on(typed: TypedRubric, act: str) -> TypedRubric:
    """The form after a press of one of its buttons: `add`, `up:UID`, `down:UID`, `remove:UID`, `add-level:UID`, `remove-level:UID:N`.

    A press that means nothing (the first item up, an item that is gone) changes nothing.
    """
    verb, _, rest = act.partition(":")
    uid, _, row = rest.partition(":")
    if verb == "add":
        return replace(typed, items=(*typed.items, _new(typed.items))) if len(typed.items) < MOST_ITEMS else typed
    at = next((place for place, item in enumerate(typed.items) if item.uid == uid), None)
    if at is None:
        return typed
    items = list(typed.items)
    if verb == "remove":
        del items[at]
    elif verb in {"up", "down"}:
        to = at - 1 if verb == "up" else at + 1
        if 0 <= to < len(items):
            items[at], items[to] = items[to], items[at]
    elif verb == "add-level":
        items[at] = replace(items[at], levels=_with_level(items[at].levels))
    elif verb == "remove-level" and row.isdecimal():
        levels = tuple(level for place, level in enumerate(items[at].levels) if place != int(row))
        items[at] = replace(items[at], levels=levels)
    return replace(typed, items=tuple(items))


def bring_back(typed: TypedRubric, item: ItemSpec) -> TypedRubric:
    """The form with a retired item at its end."""
    if any(known.pk == item.pk for known in typed.items):
        return typed
    return replace(typed, items=(*typed.items, _typed(item, str(item.pk))))


def _typed(item: ItemSpec, uid: str) -> TypedItem:
    levels = tuple(TypedLevel(level.key, number(level.points), level.label) for level in item.levels)
    return TypedItem(uid, item.name, item.title, number(item.points), item.description, item.grader_note, levels)


def _posted(post: QueryDict, uid: str) -> TypedItem:
    columns = [post.getlist(f"{uid}-{part}")[: MOST_LEVELS + 1] for part in ("key", "level-points", "label")]
    levels = tuple(TypedLevel(*map(_line, row)) for row in zip(*columns, strict=False))
    return TypedItem(
        uid=uid,
        name=_line(post.get(f"{uid}-name", "")),
        title=_line(post.get(f"{uid}-title", "")),
        points=_line(post.get(f"{uid}-points", "")),
        description=_text(post.get(f"{uid}-description", "")),
        note=_text(post.get(f"{uid}-note", "")),
        levels=levels,
    )


def _line(value: str) -> str:
    return " ".join(value.split())


def _text(value: str) -> str:
    return value.replace("\r\n", "\n").strip()


def _new(items: Sequence[TypedItem]) -> TypedItem:
    """An empty item, with the points and levels of the one before: most items of a rubric share them."""
    taken = {item.uid for item in items}
    uid = next(f"new{place}" for place in range(1, 10_000) if f"new{place}" not in taken)
    if items:
        return TypedItem(uid, points=items[-1].points, levels=items[-1].levels)
    return TypedItem(uid, points="2", levels=tuple(TypedLevel(key, key) for key in "210"))


def _with_level(levels: tuple[TypedLevel, ...]) -> tuple[TypedLevel, ...]:
    """With a level more, on the lowest digit that is free."""
    taken = {level.key for level in levels}
    free = [key for key in DIGITS if key not in taken]
    return (*levels, TypedLevel(key=free[0])) if free and len(levels) < MOST_LEVELS else levels
