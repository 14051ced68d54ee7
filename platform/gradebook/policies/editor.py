"""The editor as a page: what was typed, with what is wrong beside each field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradebook.policies.checks import Checked
from gradebook.policies.rules import MOST_COMPONENTS, MOST_LETTERS
from gradebook.policies.typed import TypedComponent, TypedLetter, TypedScheme, unused_kinds

NOTHING_WRONG = Checked(None, {}, ())
HOLDS = {
    "participation": "Attendance and participation points",
    "labs": "Every lab that is published",
    "readings": "Every reading on the list",
    "presentation": "The talk, rated by staff and classmates",
    "proposal": "The project's proposal",
    "midterm": "The project's mid-term report",
    "final": "The project's final report",
}


@dataclass(frozen=True)
class Field:
    """One field of the form; `error` is empty where nothing is wrong."""

    name: str
    id: str
    value: str
    error: str


@dataclass(frozen=True)
class EditComponent:
    """A component of the form. `holds` says what its parts are; `fields` are those that may be wrong."""

    uid: str
    place: int
    holds: str
    name: Field
    weight: Field
    drop: Field
    by_points: bool
    extra: bool

    @property
    def fields(self) -> tuple[Field, ...]:
        """For what is wrong with them below the row."""
        return self.name, self.weight, self.drop


@dataclass(frozen=True)
class EditLetter:
    """A letter of the form; `place` counts from 0, as the buttons do."""

    place: int
    letter: Field
    absolute: Field
    share: Field

    @property
    def fields(self) -> tuple[Field, ...]:
        """For what is wrong with them below the row."""
        return self.letter, self.absolute, self.share


@dataclass(frozen=True)
class EditPage:
    """The form, and what the person must know first. `kinds` can be added; `focus` is the field to type in next."""

    revision: int
    components: tuple[EditComponent, ...]
    letters: tuple[EditLetter, ...]
    relative_from: Field
    round_to: Field
    show_letters: bool
    kinds: Mapping[str, str]
    is_full: bool
    letters_full: bool
    errors: int
    whole: tuple[str, ...]
    conflict: str = ""
    theirs: tuple[str, ...] = ()
    yours: tuple[str, ...] = ()
    focus: str = ""


def edit_page(
    typed: TypedScheme,
    checked: Checked = NOTHING_WRONG,
    *,
    conflict: str = "",
    theirs: tuple[str, ...] = (),
    yours: tuple[str, ...] = (),
    focus: str = "",
) -> EditPage:
    """No query. `theirs`: what somebody else saved meanwhile; `yours`: what saving this would change about that."""
    wrong = checked.errors
    return EditPage(
        revision=typed.revision,
        components=tuple(_component(row, place, wrong) for place, row in enumerate(typed.components, start=1)),
        letters=tuple(_letter(row, place, wrong) for place, row in enumerate(typed.letters)),
        relative_from=_field("relative_from", typed.relative_from, wrong),
        round_to=_field("round_to", typed.round_to, wrong),
        show_letters=typed.show_letters,
        kinds=unused_kinds(typed),
        is_full=len(typed.components) >= MOST_COMPONENTS,
        letters_full=len(typed.letters) >= MOST_LETTERS,
        errors=len(wrong),
        whole=checked.whole,
        conflict=conflict,
        theirs=theirs,
        yours=yours,
        focus=focus,
    )


def _component(row: TypedComponent, place: int, wrong: Mapping[str, str]) -> EditComponent:
    def field(part: str, value: str) -> Field:
        return _field(f"{row.uid}-{part}", value, wrong)

    return EditComponent(
        uid=row.uid,
        place=place,
        holds=_holds(row.uid),
        name=field("name", row.name),
        weight=field("weight", row.weight),
        drop=field("drop", row.drop),
        by_points=row.by_points,
        extra=row.extra,
    )


def _letter(row: TypedLetter, place: int, wrong: Mapping[str, str]) -> EditLetter:
    def field(part: str, value: str) -> Field:
        at = f"letters-{part}-{place}"
        return Field(f"letters-{part}", f"f-{at}", value, wrong.get(at, ""))

    return EditLetter(place, field("letter", row.letter), field("absolute", row.absolute), field("share", row.share))


def _field(name: str, value: str, wrong: Mapping[str, str]) -> Field:
    return Field(name, f"f-{name}", value, wrong.get(name, ""))


def _holds(uid: str) -> str:
    """What the parts of a component are."""
    return HOLDS.get(uid, "Points that staff enter")
