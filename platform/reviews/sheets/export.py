"""Score sheets as rows of CSV: one assignment, or all of an offering side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assignments.models import Assignment
from courses.models import Offering
from reviews.models import RubricItem
from reviews.sheets.rows import Sheet, SheetRow, sheet_of, sheets_of

BEFORE = ("email", "name", "receipt")
AFTER = ("adjustments", "total", "comment", "grader", "state")


def item_header(item: RubricItem) -> str:
    """The name of an item's column, as in "problem: The problem"; the part before the colon is what an import reads."""
    return f"{item.task_id}: {item.title}"


def assignment_table(assignment: Assignment) -> list[Sequence[object]]:
    """A line a student, in the order of the class list, below the header."""
    sheet = sheet_of(assignment)
    header = (*BEFORE, *(item_header(item) for item in sheet.items), *AFTER)
    return [header, *((*_person(row), _receipt(row), *_values(sheet, row)) for row in sheet.rows)]


def offering_table(offering: Offering) -> list[Sequence[object]]:
    """The same for every lab and reading of the offering: a block of columns each, which begin with the assignment's short name."""
    sheets = sheets_of(_with_rubric(offering))
    if not sheets:
        return [BEFORE[:2]]
    header: list[object] = list(BEFORE[:2])
    for sheet in sheets:
        names = ("receipt", *(item_header(item) for item in sheet.items), *AFTER)
        header += [f"{sheet.assignment.slug} {name}" for name in names]
    blocks = [[(_receipt(row), *_values(sheet, row)) for row in sheet.rows] for sheet in sheets]
    people = [_person(row) for row in sheets[0].rows]
    return [header, *((*person, *_joined(parts)) for person, *parts in zip(people, *blocks, strict=True))]


def _with_rubric(offering: Offering) -> list[Assignment]:
    listed = offering.assignments.filter(rubric__isnull=False).select_related("offering", "lab")
    return list(listed.order_by("kind", "number"))


def _person(row: SheetRow) -> tuple[object, ...]:
    return (row.enrollment.user.email, row.enrollment.user.name)


def _receipt(row: SheetRow) -> str:
    return row.submission.receipt_number if row.submission else ""


def _values(sheet: Sheet, row: SheetRow) -> tuple[object, ...]:
    points = (row.points.get(item.task_id) for item in sheet.items)
    return (*points, row.adjustments, row.total, row.comment, row.grader, row.state)


def _joined(parts: Iterable[tuple[object, ...]]) -> Iterable[object]:
    return (value for part in parts for value in part)
