"""The editor's form as it was typed: every field a string, right or wrong, so that nothing is lost on the way round."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from django.http import QueryDict

from gradebook.numbers import plain
from gradebook.policies.rules import MOST_COMPONENTS, MOST_LETTERS
from gradebook.policies.spec import OWN, ComponentSpec, SchemeSpec
from gradebook.presets import COMPONENTS, LETTERS, WEIGHTS

UID = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")
NAMES = {kind: name for kind, name, _ in COMPONENTS}


@dataclass(frozen=True)
class TypedComponent:
    """A component's fields. `uid` is its kind, or new1, new2, … for one of points that staff enter and that is not stored yet."""

    uid: str
    name: str = ""
    weight: str = ""
    drop: str = "0"
    by_points: bool = False
    extra: bool = False

    def fields(self) -> Iterator[tuple[str, str]]:
        """Name and value of each field of the form; a box that is not ticked has none."""
        yield "component", self.uid
        for part in ("name", "weight", "drop"):
            yield f"{self.uid}-{part}", getattr(self, part)
        yield f"{self.uid}-how", "points" if self.by_points else "equally"
        if self.extra:
            yield f"{self.uid}-extra", "1"


@dataclass(frozen=True)
class TypedLetter:
    """A row of the letters."""

    letter: str = ""
    absolute: str = ""
    share: str = ""

    def fields(self) -> Iterator[tuple[str, str]]:
        """Name and value of each field of the form."""
        for part in ("letter", "absolute", "share"):
            yield f"letters-{part}", getattr(self, part)


@dataclass(frozen=True)
class TypedScheme:
    """The form, over revision `revision` of the scheme."""

    revision: int
    components: tuple[TypedComponent, ...]
    letters: tuple[TypedLetter, ...]
    relative_from: str = "10"
    round_to: str = ""
    show_letters: bool = False

    def fields(self) -> Iterator[tuple[str, str]]:
        """All that the form holds, for hidden fields."""
        yield "revision", str(self.revision)
        for component in self.components:
            yield from component.fields()
        for letter in self.letters:
            yield from letter.fields()
        yield "relative_from", self.relative_from
        yield "round_to", self.round_to
        if self.show_letters:
            yield "show_letters", "1"


def from_spec(spec: SchemeSpec, revision: int) -> TypedScheme:
    """The form of a scheme."""
    return TypedScheme(
        revision=revision,
        components=tuple(_component(row) for row in spec.components),
        letters=tuple(TypedLetter(row.letter, plain(row.absolute), plain(row.share)) for row in spec.letters),
        relative_from=str(spec.relative_from),
        round_to="" if spec.round_to is None else plain(spec.round_to),
        show_letters=spec.show_letters,
    )


def from_post(post: QueryDict) -> TypedScheme:
    """What came. Fields that are no field of this form are not looked at."""
    uids = [uid for uid in dict.fromkeys(post.getlist("component")) if UID.fullmatch(uid)][: MOST_COMPONENTS + 1]
    columns = [post.getlist(f"letters-{part}")[: MOST_LETTERS + 1] for part in ("letter", "absolute", "share")]
    revision = post.get("revision", "")
    return TypedScheme(
        revision=int(revision) if re.fullmatch(r"\d{1,9}", revision, re.ASCII) else -1,
        components=tuple(_posted(post, uid) for uid in uids),
        letters=tuple(TypedLetter(*map(_line, row)) for row in zip(*columns, strict=False)),
        relative_from=_line(post.get("relative_from", "")),
        round_to=_line(post.get("round_to", "")),
        show_letters=bool(post.get("show_letters")),
    )


def act_on(typed: TypedScheme, act: str) -> TypedScheme:
    """The form after a press of one of its buttons: `add`, `add:KIND`, `remove:UID`, `add-letter:N`, `remove-letter:N`, `preset:A`,
    `letters`.

    A press that means nothing (a row that is gone, a preset that there is not) changes nothing.
    """
    verb, _, which = act.partition(":")
    if verb == "add":
        return _with_component(typed, which)
    if verb == "remove":
        return replace(typed, components=tuple(row for row in typed.components if row.uid != which))
    if verb in {"add-letter", "remove-letter"}:
        return _with_letters(typed, verb, which)
    if verb == "preset" and which in WEIGHTS:
        return _with_preset(typed, WEIGHTS[which])
    if verb == "letters":
        published = (TypedLetter(letter, str(absolute), str(share)) for letter, absolute, share in LETTERS)
        return replace(typed, letters=tuple(published))
    return typed


def unused_kinds(typed: TypedScheme) -> dict[str, str]:
    """Kinds with sources of their own that the form has no component for, with their usual names."""
    used = {row.uid for row in typed.components}
    return {kind: name for kind, name in NAMES.items() if kind not in used}


def _component(row: ComponentSpec) -> TypedComponent:
    return TypedComponent(
        uid=row.kind,
        name=row.name,
        weight=plain(row.weight),
        drop=str(row.drop_lowest),
        by_points=row.by_points,
        extra=row.extra_credit,
    )


def _posted(post: QueryDict, uid: str) -> TypedComponent:
    return TypedComponent(
        uid=uid,
        name=_line(post.get(f"{uid}-name", "")),
        weight=_line(post.get(f"{uid}-weight", "")),
        drop=_line(post.get(f"{uid}-drop", "")),
        by_points=post.get(f"{uid}-how") == "points",
        extra=bool(post.get(f"{uid}-extra")),
    )


def _with_component(typed: TypedScheme, kind: str) -> TypedScheme:
    if len(typed.components) >= MOST_COMPONENTS or (kind and kind not in unused_kinds(typed)):
        return typed
    return replace(typed, components=(*typed.components, _new(typed, kind, "0" if kind else "")))


def _new(typed: TypedScheme, kind: str, weight: str) -> TypedComponent:
    taken = {row.uid for row in typed.components}
    uid = kind or next(f"new{place}" for place in range(1, 10_000) if f"new{place}" not in taken)
    return TypedComponent(uid=uid, name=NAMES.get(kind, ""), weight=weight)


def _with_letters(typed: TypedScheme, verb: str, which: str) -> TypedScheme:
    if not re.fullmatch(r"\d{1,3}", which, re.ASCII):
        return typed
    rows, place = list(typed.letters), int(which)
    if verb == "add-letter" and len(rows) < MOST_LETTERS and place <= len(rows):
        rows.insert(place, TypedLetter())
    elif verb == "remove-letter" and place < len(rows):
        del rows[place]
    return replace(typed, letters=tuple(rows))


def _with_preset(typed: TypedScheme, weights: Mapping[str, int]) -> TypedScheme:
    """The preset's weights; what it does not know weighs nothing, unless it is extra credit."""
    for kind in weights:
        if kind in unused_kinds(typed):
            typed = replace(typed, components=(*typed.components, _new(typed, kind, "0")))
    rows = []
    for row in typed.components:
        known = weights.get(row.uid)
        weight = str(known) if known is not None else row.weight if row.extra else "0"
        rows.append(replace(row, weight=weight, extra=row.extra and known is None))
    return replace(typed, components=tuple(rows))


def _line(value: str) -> str:
    return " ".join(value.split())


def number(text: str) -> Decimal | None:
    """A plain decimal as people type it, with a point or a comma; None for anything else."""
    text = text.replace(",", ".")
    return Decimal(text) if re.fullmatch(r"-?\d{1,6}(\.\d{0,6})?|-?\.\d{1,6}", text, re.ASCII) else None


def own_kind(name: str, taken: set[str]) -> str:
    """A kind for a component of points that staff enter, out of its name."""
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:12].strip("-")
    stem = f"{OWN}-{base}" if base else OWN
    return next(kind for kind in (stem, *(f"{stem}-{count}" for count in range(2, 1000))) if kind not in taken)
