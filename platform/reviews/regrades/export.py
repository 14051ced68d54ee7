"""The table of a regrade as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

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
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def regrade_csv(rows: Iterable[RegradeRow]) -> str:
    """One line a student, in the order of the page."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    writer.writerows(_line(row) for row in rows)
    return out.getvalue()


def _line(row: RegradeRow) -> list[object]:
    return [
        _text(row.sort_name),
        _text(row.email),
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
        _text("; ".join(check.title for check in row.checks)),
        "yes" if row.overridden else "no",
    ]


def _text(value: str) -> str:
    """Text that a spreadsheet takes for text: a leading sign would make it a formula."""
    return f"'{value}" if value.startswith(FORMULA) else value
