"""From what was typed to a scheme that can be saved, or to what is wrong with it, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gradebook.policies.rules import Wrong, what_is_wrong
from gradebook.policies.spec import ComponentSpec, LetterSpec, SchemeSpec
from gradebook.policies.typed import NAMES, TypedComponent, TypedLetter, TypedScheme, number, own_kind
from gradebook.presets import COMPONENTS

COUNTS = {kind: count for kind, _, count in COMPONENTS}
NO_NUMBER = "Give a number, such as 20 or 12.5."
NO_WHOLE = "Give a whole number, such as 2."


@dataclass(frozen=True)
class Checked:
    """The scheme that was meant, None while something is wrong; `errors` by the name of the field, `whole` about no single one."""

    spec: SchemeSpec | None
    errors: Mapping[str, str]
    whole: tuple[str, ...]


def check(typed: TypedScheme, stored: SchemeSpec) -> Checked:
    """Read the form over what is stored: a component that is there keeps its kind and its count of parts."""
    reading = _Reading(stored)
    spec = SchemeSpec(
        components=tuple(reading.component(row) for row in typed.components),
        letters=tuple(reading.letter(row, place) for place, row in enumerate(typed.letters)),
        relative_from=reading.whole("relative_from", typed.relative_from),
        round_to=reading.number("round_to", typed.round_to) if typed.round_to else None,
        show_letters=typed.show_letters,
    )
    if reading.errors:  # sums and orders over what is no number say nothing
        return Checked(None, reading.errors, ())
    errors: dict[str, str] = {}
    whole: list[str] = []
    for wrong in what_is_wrong(spec):
        if field := _field(wrong, typed):
            errors.setdefault(field, wrong.sentence)
        else:
            whole.append(wrong.sentence)
    return Checked(None if errors or whole else spec, errors, tuple(whole))


class _Reading:
    """Reads the fields, and keeps what is no number."""

    def __init__(self, stored: SchemeSpec) -> None:
        self.errors: dict[str, str] = {}
        self._stored = {row.kind: row for row in stored.components}
        self._taken = {*self._stored, *NAMES}

    def component(self, row: TypedComponent) -> ComponentSpec:
        known = self._stored.get(row.uid)
        return ComponentSpec(
            kind=self._kind(row),
            name=row.name,
            weight=self.number(f"{row.uid}-weight", row.weight),
            count=known.count if known else COUNTS.get(row.uid, 1),
            drop_lowest=self.whole(f"{row.uid}-drop", row.drop),
            by_points=row.by_points,
            extra_credit=row.extra,
        )

    def letter(self, row: TypedLetter, place: int) -> LetterSpec:
        absolute, share = (
            self.number(f"letters-{part}-{place}", text)
            for part, text in (("absolute", row.absolute), ("share", row.share))
        )
        return LetterSpec(row.letter, absolute, share)

    def number(self, field: str, text: str) -> Decimal:
        found = number(text)
        if found is None:
            self.errors[field] = NO_NUMBER
        return found if found is not None else Decimal(0)

    def whole(self, field: str, text: str) -> int:
        found = number(text)
        if found is None or found != int(found):
            self.errors[field] = NO_WHOLE
            return 1
        return int(found)

    def _kind(self, row: TypedComponent) -> str:
        """A component that is stored, or of a kind with sources of its own, keeps it; another one gets a kind by its name."""
        if row.uid in self._stored or row.uid in NAMES:
            return row.uid
        made = own_kind(row.name, self._taken)
        self._taken.add(made)
        return made


def _field(wrong: Wrong, typed: TypedScheme) -> str:
    """The name of the form's field that the sentence is about; empty for the whole."""
    if wrong.rows == "components":
        return f"{typed.components[wrong.row].uid}-{wrong.field}"
    if wrong.rows == "letters":
        return f"letters-{wrong.field}-{wrong.row}"
    return wrong.field
