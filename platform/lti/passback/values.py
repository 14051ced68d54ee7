"""What may leave for the platform: of each part what its student may see, and the final score once grades are final."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from courses.models import Enrollment, Offering
from gradebook.book.parts import Part, Policy, Score, Scores, State
from gradebook.freezing.selectors import FrozenGrades, final_of
from gradebook.sources.collect import collect

FINAL = "final"
CENT = Decimal("0.01")
HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Column:
    """Something that can be sent, out of `points`."""

    key: str
    title: str
    points: Decimal


@dataclass(frozen=True)
class Values:
    """Points by column and enrollment. None is work that waits for its score; what is not there is not sent: not due, or excused.

    `sealed` is the hash of the snapshot that all of it comes from.
    """

    columns: tuple[Column, ...]
    students: tuple[Enrollment, ...]
    points: Mapping[tuple[str, int], Decimal | None]
    sealed: str = ""

    def column(self, key: str) -> Column | None:
        """The column with this key."""
        return next((row for row in self.columns if row.key == key), None)


def values_of(offering: Offering) -> Values:
    """From the snapshot while grades are frozen; else of what was released. The number of queries does not grow with the class."""
    frozen = final_of(offering)
    if frozen:
        return _frozen(offering, frozen)
    book = collect(offering, released_only=True)
    columns = _columns(book.policy, book.parts)
    return Values(columns, book.students, _points(columns, book.scores))


def _frozen(offering: Offering, frozen: FrozenGrades) -> Values:
    content = frozen.content
    students = Enrollment.objects.students().filter(offering=offering, pk__in=content.students).select_related("user")
    columns = _columns(content.policy, content.parts)
    finals = {(FINAL, pk): _rounded(row.final) for pk, row in content.students.items() if row.final is not None}
    return Values(
        columns=(*columns, Column(FINAL, "Final score", HUNDRED)),
        students=tuple(students),
        points=_points(columns, content.scores) | finals,
        sealed=frozen.sha256,
    )


def _columns(policy: Policy, parts: tuple[Part, ...]) -> tuple[Column, ...]:
    kinds = {rule.kind for rule in policy.components}
    return tuple(
        Column(part.key, part.title, _rounded(part.max_points))
        for part in parts
        if part.component in kinds and part.max_points
    )


def _points(columns: tuple[Column, ...], scores: Mapping[int, Scores]) -> dict[tuple[str, int], Decimal | None]:
    return {
        (column.key, pk): _of(own[column.key], column)
        for pk, own in scores.items()
        for column in columns
        if column.key in own and own[column.key].state not in {State.NOT_DUE, State.EXCUSED}
    }


def _of(score: Score, column: Column) -> Decimal | None:
    return None if score.state is State.UNGRADED else _rounded(score.share * Fraction(column.points))


def _rounded(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(CENT, rounding=ROUND_HALF_UP)
