"""What differs between two schemes, a sentence each: on the dry run, on a conflict, in the list of changes."""

from __future__ import annotations

from collections.abc import Iterator

from gradebook.numbers import percent, plain
from gradebook.policies.spec import ComponentSpec, LetterSpec, SchemeSpec


def differences(before: SchemeSpec, after: SchemeSpec) -> tuple[str, ...]:
    """What `after` changes about `before`; empty where both say the same."""
    return (*_components(before, after), *_letters(before, after), *_policy(before, after))


def describe(spec: SchemeSpec) -> str:
    """The whole scheme as text, for the audit log."""
    weights = ", ".join(_component_line(row) for row in spec.components)
    letters = ", ".join(f"{row.letter} from {plain(row.absolute)} or {percent(row.share)}" for row in spec.letters)
    rounding = "not rounded" if spec.round_to is None else f"rounded to {plain(spec.round_to)}"
    shown = "letters shown" if spec.show_letters else "letters hidden"
    return f"{weights}\n{letters}\nthe rank counts from {spec.relative_from} students on; {rounding}; {shown}"


def _components(before: SchemeSpec, after: SchemeSpec) -> Iterator[str]:
    old, kept = {row.kind: row for row in before.components}, {row.kind for row in after.components}
    for row in after.components:
        if known := old.get(row.kind):
            yield from _component(known, row)
        else:
            yield f"“{row.name}” is added: {percent(row.weight)}{' of extra credit' if row.extra_credit else ''}."
    yield from (f"“{row.name}” leaves the scheme." for row in before.components if row.kind not in kept)
    there = [[row.kind for row in spec.components if row.kind in kept & set(old)] for spec in (before, after)]
    if there[0] != there[1]:
        yield "The order of the components changes: " + ", ".join(row.name for row in after.components) + "."


def _component(old: ComponentSpec, new: ComponentSpec) -> Iterator[str]:
    if old.name != new.name:
        yield f"“{old.name}” is called “{new.name}”."
    if old.weight != new.weight:
        yield f"{new.name} weighs {percent(new.weight)} instead of {percent(old.weight)}."
    if old.drop_lowest != new.drop_lowest:
        yield f"In {new.name} the {new.drop_lowest} lowest parts do not count; before, {old.drop_lowest}."
    if old.by_points != new.by_points:
        yield f"In {new.name} parts count {'by their points' if new.by_points else 'equally'}."
    if old.extra_credit != new.extra_credit:
        yield f"{new.name} {'becomes' if new.extra_credit else 'is no longer'} extra credit."
    if old.count != new.count:
        yield f"{new.name} is announced with {new.count} parts instead of {old.count}."


def _letters(before: SchemeSpec, after: SchemeSpec) -> Iterator[str]:
    old, kept = {row.letter: row for row in before.letters}, {row.letter for row in after.letters}
    for row in after.letters:
        known = old.get(row.letter)
        if known is None:
            yield f"The letter {row.letter} is added, from {plain(row.absolute)} or in {percent(row.share)} of the class."
        else:
            yield from _letter(known, row)
    yield from (f"The letter {row.letter} is gone." for row in before.letters if row.letter not in kept)


def _letter(old: LetterSpec, new: LetterSpec) -> Iterator[str]:
    if old.absolute != new.absolute:
        yield f"{new.letter} begins at {plain(new.absolute)} instead of {plain(old.absolute)}."
    if old.share != new.share:
        yield f"{new.letter} holds {percent(new.share)} of the class instead of {percent(old.share)}."


def _policy(before: SchemeSpec, after: SchemeSpec) -> Iterator[str]:
    if before.relative_from != after.relative_from:
        yield f"The rank counts from {after.relative_from} students on, before from {before.relative_from}."
    if before.round_to != after.round_to:
        steps = [
            "not rounded" if spec.round_to is None else f"rounded to {plain(spec.round_to)}" for spec in (after, before)
        ]
        yield f"Before the letters scores are {steps[0]}; before, {steps[1]}."
    if before.show_letters != after.show_letters:
        seen = "see letters before the grades are final" if after.show_letters else "see no letters before the freeze"
        yield f"Students {seen}."


def _component_line(row: ComponentSpec) -> str:
    notes = [f"{row.drop_lowest} lowest dropped"] if row.drop_lowest else []
    notes += ["by points"] if row.by_points else []
    notes += ["extra credit"] if row.extra_credit else []
    return f"{row.name} {plain(row.weight)}" + (f" ({', '.join(notes)})" if notes else "")
