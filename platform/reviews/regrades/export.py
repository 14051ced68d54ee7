"""The table of a regrade as CSV, for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable

from config.spreadsheets import csv_text
from reviews.regrades.table import RegradeRow

HEADER = (
    "student",
    "email",
    "attempt",
    "old",
    "old out of",
    "new",
    "new out of",
    "change",
    "result",
    "tasks",
    "checks",
    "set by staff",
)


def regrade_csv(rows: Iterable[RegradeRow]) -> str:
    """One line a student, in the order of the page."""
    return csv_text([HEADER, *(_line(row) for row in rows)])


def _line(row: RegradeRow) -> list[object]:
    return [
        row.sort_name,
        row.email,
        row.number,
        row.before,
        row.before_max,
        row.after,
        row.after_max,
        row.change,
        row.group,
        "; ".join(
            f"{task.id}: {task.before} of {task.before_max} to {task.after} of {task.after_max}" for task in row.tasks
        ),
        "; ".join(check.title for check in row.checks),
        "yes" if row.overridden else "no",
    ]
