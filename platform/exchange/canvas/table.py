"""The table that Canvas imports, and the plain one with everything.

Canvas's has the columns that it needs to know people by, one column for each number, and the row of points below the header. A column
whose assignment is known there carries its ID in parentheses; another one makes a new assignment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from courses.models import Enrollment
from exchange.canvas.columns import Column, component_percent, value_of
from exchange.models import CanvasColumn
from exchange.numbers import Numbers, rounded
from gradebook.book.parts import State
from gradebook.numbers import plain

PEOPLE = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POINTS_ROW = "    Points Possible"
Row = Sequence[object]


@dataclass(frozen=True)
class Sheet:
    """Rows of a table; `without_ids` are students whom Canvas could not tell apart, who are left out."""

    rows: tuple[Row, ...]
    without_ids: tuple[Enrollment, ...]


def canvas_sheet(numbers: Numbers, columns: Sequence[Column], known: Mapping[str, CanvasColumn]) -> Sheet:
    """The chosen columns. `known` are Canvas's own columns by our keys."""
    headers = [known[column.key].header if column.key in known else column.title for column in columns]
    most = [_points(column, known.get(column.key)) for column in columns]
    rows: list[Row] = [(*PEOPLE, *headers), (POINTS_ROW, "", "", "", "", *most)]
    for student in with_ids(numbers.students):
        person = (student.user.sort_name, student.lms_id, student.sis_id, student.sis_login, student.section)
        rows.append(
            (*person, *(canvas_value(numbers, student.pk, column, known.get(column.key)) for column in columns))
        )
    return Sheet(tuple(rows), without_ids(numbers.students))


def canvas_value(numbers: Numbers, student: int, column: Column, known: CanvasColumn | None) -> Decimal | str | None:
    """A student's cell, scaled to what the column is out of in Canvas; one that is out of nothing there holds points as they are here."""
    return value_of(numbers, student, column, out_of=_points(column, known))


def plain_sheet(numbers: Numbers) -> tuple[Row, ...]:
    """Everything: points of each part with its state, percent of each component, both scores, and the letter by both columns."""
    parts, rules = numbers.counting, numbers.policy.components
    header: list[object] = ["name", "email", "section", "LMS ID", "SIS user ID", "SIS login ID"]
    for part in parts:
        header += [f"{part.title}: points", f"{part.title}: out of", f"{part.title}: state"]
    header += [f"{rule.name}: percent" for rule in rules]
    header += ["score so far", "final score", "letter", "absolute letter", "relative letter", "which column won"]
    return (header, *((*_plain_row(numbers, student),) for student in numbers.students))


def with_ids(students: Sequence[Enrollment]) -> tuple[Enrollment, ...]:
    """Those whom Canvas finds: by its own ID, the SIS user ID or the SIS login ID."""
    return tuple(student for student in students if student.lms_id or student.sis_id or student.sis_login)


def without_ids(students: Sequence[Enrollment]) -> tuple[Enrollment, ...]:
    """The others."""
    return tuple(student for student in students if not (student.lms_id or student.sis_id or student.sis_login))


def _points(column: Column, known: CanvasColumn | None) -> Decimal | None:
    """What the column is out of: in Canvas, where it says so; here otherwise."""
    return column.points if known is None or known.points is None else known.points


def _plain_row(numbers: Numbers, student: Enrollment) -> list[object]:
    grade, scores = numbers.grades[student.pk], numbers.scores[student.pk]
    row: list[object] = [student.user.name, student.user.email, student.section]
    row += [student.lms_id, student.sis_id, student.sis_login]
    for part in numbers.counting:
        score = scores[part.key]
        graded = score.state is State.GRADED
        row += [rounded(score.points), rounded(score.max_points)] if graded else [None, rounded(part.max_points)]
        row.append(score.state.value)
    row += [_percent(component_percent(numbers, student.pk, rule.kind)) for rule in numbers.policy.components]
    letter = grade.letter
    row += [_percent(grade.so_far.score), _percent(grade.final.score)]
    row += [letter.letter, letter.absolute, letter.relative or "", letter.won] if letter else ["", "", "", ""]
    return row


def _percent(score: Fraction | None) -> Decimal | None:
    """As the pages round it: 89.996, which is below a cutoff at 90, is not written 90."""
    return None if score is None else Decimal(plain(score))
