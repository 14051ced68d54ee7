"""What a grading scheme must be, whoever made it. Each thing that is wrong is a sentence with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from gradebook.numbers import plain
from gradebook.policies.spec import ComponentSpec, LetterSpec, SchemeSpec

HUNDRED = Decimal(100)
CENT = Decimal("0.01")
MOST_COMPONENTS, MOST_LETTERS, MOST_DROPPED, LARGEST_CLASS = 20, 20, 50, 10_000
LONGEST_NAME, LONGEST_LETTER = 120, 2


@dataclass(frozen=True)
class Wrong:
    """A sentence about a field of row number `row` of `rows` (components or letters), or of the whole, where `rows` is empty."""

    sentence: str
    rows: str = ""
    row: int = 0
    field: str = ""


def what_is_wrong(spec: SchemeSpec) -> list[Wrong]:
    """Everything that keeps the scheme from being saved; empty where nothing does."""
    return [*_components(spec.components), *_letters(spec.letters), *_policy(spec)]


def weights_line(components: Iterable[ComponentSpec]) -> str:
    """`Lab assignments 21, Reading summaries 20`: every part by name."""
    return ", ".join(f"{row.name} {plain(row.weight)}" for row in components)


def _components(rows: Sequence[ComponentSpec]) -> Iterator[Wrong]:
    names: set[str] = set()
    kinds: set[str] = set()
    for place, row in enumerate(rows):

        def at(field: str, sentence: str, place: int = place) -> Wrong:
            return Wrong(sentence, "components", place, field)

        yield from (at("name", sentence) for sentence in _name(row.name, LONGEST_NAME))
        if row.name.casefold() in names:
            yield at("name", f"Two components are called “{row.name}”. Give one of them another name.")
        if row.kind in kinds:
            yield at("name", "This component is there twice. Remove one of them.")
        if not 0 <= row.weight <= HUNDRED:
            yield at("weight", "A weight is between 0 and 100 percent.")
        elif row.weight != row.weight.quantize(CENT):
            yield at("weight", "A weight has at most two decimals.")
        if not 0 <= row.drop_lowest <= MOST_DROPPED:
            yield at("drop", f"Between 0 and {MOST_DROPPED} parts can be dropped.")
        names.add(row.name.casefold())
        kinds.add(row.kind)
    yield from _sum_of_weights(rows)


def _sum_of_weights(rows: Sequence[ComponentSpec]) -> Iterator[Wrong]:
    counted = [row for row in rows if not row.extra_credit]
    if len(rows) > MOST_COMPONENTS:
        yield Wrong(f"A scheme has at most {MOST_COMPONENTS} components. Remove some.")
    if not counted:
        yield Wrong("A scheme has at least one component that is no extra credit. Add one.")
    elif (total := sum((row.weight for row in counted), Decimal(0))) != HUNDRED:
        on_top = ", without extra credit" if len(counted) < len(rows) else ""
        yield Wrong(f"The weights add up to {plain(total)}, not 100{on_top}: {weights_line(counted)}.")


def _letters(rows: Sequence[LetterSpec]) -> Iterator[Wrong]:
    names: set[str] = set()
    for place, row in enumerate(rows):

        def at(field: str, sentence: str, place: int = place) -> Wrong:
            return Wrong(sentence, "letters", place, field)

        yield from (at("letter", sentence) for sentence in _name(row.letter, LONGEST_LETTER))
        if row.letter in names:
            yield at("letter", f"The letter {row.letter} is there twice. Remove one of them.")
        for field, value, what in (("absolute", row.absolute, "score"), ("share", row.share, "share")):
            if not 0 <= value <= HUNDRED:
                yield at(field, f"A {what} is between 0 and 100 percent.")
            elif value != value.quantize(CENT):
                yield at(field, f"A {what} has at most two decimals.")
        names.add(row.letter)
    yield from _falling(rows)
    yield from _whole(rows)


def _falling(rows: Sequence[LetterSpec]) -> Iterator[Wrong]:
    for place, (better, worse) in enumerate(pairwise(rows), start=1):
        if worse.absolute >= better.absolute:
            sentence = (
                f"{worse.letter} begins at {plain(worse.absolute)}, which is not below {better.letter} at "
                f"{plain(better.absolute)}. Scores fall from letter to letter."
            )
            yield Wrong(sentence, "letters", place, "absolute")


def _whole(rows: Sequence[LetterSpec]) -> Iterator[Wrong]:
    if not rows:
        yield Wrong("A scheme has at least one letter. Add one.")
        return
    if len(rows) > MOST_LETTERS:
        yield Wrong(f"A scheme has at most {MOST_LETTERS} letters. Remove some.")
    if rows[-1].absolute != 0:
        sentence = f"The last letter is everybody's who reaches no other, so {rows[-1].letter} begins at 0."
        yield Wrong(sentence, "letters", len(rows) - 1, "absolute")
    if (total := sum((row.share for row in rows), Decimal(0))) != HUNDRED:
        listed = ", ".join(f"{row.letter} {plain(row.share)}" for row in rows)
        yield Wrong(f"The shares of the class add up to {plain(total)}, not 100: {listed}.")


def _policy(spec: SchemeSpec) -> Iterator[Wrong]:
    if not 1 <= spec.relative_from <= LARGEST_CLASS:
        yield Wrong(f"Give a number of students between 1 and {LARGEST_CLASS:,}.", field="relative_from")
    if spec.round_to is None:
        return
    if not CENT <= spec.round_to <= 10:
        yield Wrong("Scores are rounded to a step between 0.01 and 10, or not at all.", field="round_to")
    elif spec.round_to != spec.round_to.quantize(CENT):
        yield Wrong("The step has at most two decimals.", field="round_to")


def _name(text: str, longest: int) -> Iterator[str]:
    if not text:
        yield "Please give it a name."
    elif len(text) > longest:
        yield f"Please keep the name to {longest} characters; it has {len(text)}."
    if "\x00" in text:
        yield "This name holds a character that cannot be stored. Type it again."
