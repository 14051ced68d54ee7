"""What can be sent: every part, every component, the score so far, the final score and the letter; each by a key."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from exchange.numbers import Numbers, rounded
from gradebook.book.parts import State

FINAL, SO_FAR, LETTER = "final", "so-far", "letter"
COMPONENT = "component:"
HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Column:
    """A column of ours. `points` is what it is out of; a letter is out of nothing."""

    key: str
    title: str
    points: Decimal | None
    group: str


def columns_of(numbers: Numbers) -> tuple[Column, ...]:
    """All of them, in the order of the gradebook."""
    parts = [Column(part.key, part.title, rounded(part.max_points), "Parts") for part in numbers.counting]
    components = [
        Column(f"{COMPONENT}{rule.kind}", rule.name, HUNDRED, "Components, in percent")
        for rule in numbers.policy.components
    ]
    whole = [
        Column(SO_FAR, "Score so far", HUNDRED, "The whole"),
        Column(FINAL, "Final score", HUNDRED, "The whole"),
        Column(LETTER, "Letter", None, "The whole"),
    ]
    return (*parts, *components, *whole)


def value_of(numbers: Numbers, student: int, column: Column, *, out_of: Decimal | None = None) -> Decimal | str | None:
    """A student's cell: points out of the column's (or scaled to `out_of`, and rounded once), a letter, or None where there is nothing
    yet. `EX` is what is excused."""
    exact = _exact(numbers, student, column)
    if not isinstance(exact, Fraction):
        return exact
    return rounded(exact * Fraction(out_of) / Fraction(column.points) if out_of and column.points else exact)


def _exact(numbers: Numbers, student: int, column: Column) -> Fraction | str | None:
    grade = numbers.grades[student]
    if column.key == LETTER:
        return grade.letter.letter if grade.letter else None
    if column.key in {FINAL, SO_FAR}:
        return grade.final.score if column.key == FINAL else grade.so_far.score
    if column.key.startswith(COMPONENT):
        return component_percent(numbers, student, column.key.removeprefix(COMPONENT))
    score = numbers.scores[student].get(column.key)
    if score is None or score.state in {State.NOT_DUE, State.UNGRADED}:
        return None
    if score.state is State.EXCUSED:
        return "EX"
    return score.share * Fraction(column.points or 0)


def component_percent(numbers: Numbers, student: int, kind: str) -> Fraction | None:
    """A student's exact percentage of a component: what counts in the end once grades are frozen, what is known so far before."""
    grade = numbers.grades[student]
    components = (grade.final if numbers.seal else grade.so_far).components
    share = next((row.share for row in components if row.rule.kind == kind), None)
    return None if share is None else share * 100
