"""nbgrader's gradebook.db, read from a copy and never written.

A database file is somebody's program as much as their data, so little of it is trusted: the tables must be plain tables, only reading is
authorised, views and triggers never run, and a query that takes too long is stopped.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

from exchange.nbgrader.found import Found, ImportRefused, Points, number

MAGIC = b"SQLite format 3\0"
MAX_BYTES = 24 * 1024 * 1024
LONGEST_S, STEPS = 5.0, 10_000  # of one query; SQLite's steps between two looks at the clock
MAX_ROWS, LONGEST_TEXT = 100_000, 300
NEEDED = {
    "assignment": {"id", "name"},
    "notebook": {"id", "assignment_id"},
    "base_cell": {"id", "notebook_id"},
    "grade_cells": {"id", "max_score"},
    "student": {"id", "first_name", "last_name", "email"},
    "submitted_assignment": {"id", "assignment_id", "student_id"},
    "submitted_notebook": {"id", "assignment_id", "late_submission_penalty"},
    "grade": {"notebook_id", "cell_id", "auto_score", "manual_score", "extra_credit", "needs_manual_grade"},
}
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}

# a manual score stands in place of the automatic one; extra credit comes on top of either
_SCORES = """
SELECT a.name, s.student_id, sn.points, sn.penalty, sn.waiting
FROM submitted_assignment s JOIN assignment a ON a.id = s.assignment_id
JOIN (
  SELECT n.assignment_id AS submitted, SUM(n.penalty) AS penalty, SUM(n.points) AS points, SUM(n.waiting) AS waiting FROM (
    SELECT b.assignment_id, COALESCE(b.late_submission_penalty, 0) AS penalty,
      COALESCE(SUM(CASE WHEN g.manual_score IS NOT NULL OR g.auto_score IS NOT NULL
        THEN COALESCE(g.manual_score, g.auto_score) + COALESCE(g.extra_credit, 0) ELSE 0 END), 0) AS points,
      COALESCE(SUM(g.needs_manual_grade), 0) AS waiting
    FROM submitted_notebook b LEFT JOIN grade g ON g.notebook_id = b.id GROUP BY b.id
  ) n GROUP BY n.assignment_id
) sn ON sn.submitted = s.id
ORDER BY a.name, s.student_id
"""
_NO_NUMBERS = """
SELECT 1 FROM grade WHERE typeof(auto_score) IN ('text', 'blob') OR typeof(manual_score) IN ('text', 'blob')
  OR typeof(extra_credit) IN ('text', 'blob')
UNION SELECT 1 FROM submitted_notebook WHERE typeof(late_submission_penalty) IN ('text', 'blob') LIMIT 1
"""
_MOST = """
SELECT a.name, COALESCE(SUM(c.max_score), 0) FROM assignment a
JOIN notebook n ON n.assignment_id = a.id JOIN base_cell b ON b.notebook_id = n.id
JOIN {cells} c ON c.id = b.id GROUP BY a.id
"""


def read_database(data: bytes) -> Points:
    """Everyone's points; raises `ImportRefused` where it is no database of nbgrader, or one that cannot be read."""
    if len(data) > MAX_BYTES:
        raise ImportRefused(f"The database is larger than {MAX_BYTES >> 20} MB. Send the CSV of “nbgrader export”.")
    try:
        with _opened(data) as database:
            columns = _check(database)
            return _points(database, columns)
    except (
        sqlite3.Error,
        TypeError,
        ValueError,
        OverflowError,
    ) as error:  # of the file, or of a value in it that is no number
        raise ImportRefused(
            f"The database cannot be read ({error}). Send the CSV of “nbgrader export” instead."
        ) from error


@contextmanager
def _opened(data: bytes) -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gradebook.db"
        path.write_bytes(data)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA cell_size_check = ON")
            database.execute("PRAGMA query_only = ON")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
            yield database


def _check(database: sqlite3.Connection) -> dict[str, set[str]]:
    """The columns of each plain table; from here on only those are read, and only for so long."""
    kinds = dict(database.execute("SELECT name, COALESCE(sql, '') FROM sqlite_master WHERE type = 'table'"))
    plain = {name for name, sql in kinds.items() if "virtual" not in sql[:40].lower() and name.isidentifier()}
    columns = {
        name: {row[1] for row in database.execute(f"PRAGMA table_info({name})")}
        for name in plain & {*NEEDED, "task_cells"}
    }
    missing = [name for name, needed in NEEDED.items() if not needed <= columns.get(name, set())]
    if missing:
        raise ImportRefused(
            f"This is no gradebook of nbgrader that we know: {missing[0]} is missing or another one. "
            "Bring it up to date with “nbgrader update”, or send the CSV of “nbgrader export”."
        )
    until = time.monotonic() + LONGEST_S
    database.set_progress_handler(lambda: time.monotonic() > until, STEPS)
    database.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY)
    return columns


def _points(database: sqlite3.Connection, columns: dict[str, set[str]]) -> Points:
    most, students = _most(database, columns), _students(database, columns)
    if database.execute(_NO_NUMBERS).fetchone():  # SQLite would take them for zero
        raise ImportRefused(
            "A score or a penalty in the database of nbgrader is no number. Send the CSV of “nbgrader export” instead."
        )
    rows = database.execute(_SCORES).fetchmany(MAX_ROWS + 1)
    if len(rows) > MAX_ROWS:
        raise ImportRefused(f"The database has more than {MAX_ROWS:,} submissions. Send them in parts, as CSV.")
    found, skipped, wrong = [], [], []
    for assignment, student, score, penalty, waiting in rows:
        name, who = _text(assignment)[:128], _text(student)
        points, of = number(max(0.0, float(score) - float(penalty))), number(most.get(assignment, 0.0))
        if waiting:
            skipped.append(f"{who}: {waiting} cells of {name} wait for somebody to grade them.")
        elif points is None or not of:
            wrong.append(f"{who}: {score} of {most.get(assignment, 0)} for {name} are no points.")
        else:
            first, last, email, lms_id = students.get(student, ("", "", "", ""))
            row = Found(
                where="",
                assignment=name,
                student_id=who,
                name=f"{first} {last}".strip(),
                email=email.lower(),
                lms_id=lms_id,
                points=points,
                max_points=of,
                penalty=number(penalty) or Decimal(0),
            )
            found.append(row)
    return Points(tuple(found), tuple(skipped), tuple(wrong))


def _most(database: sqlite3.Connection, columns: dict[str, set[str]]) -> dict[str, float]:
    """The points of each assignment; older databases have no task cells."""
    most: dict[str, float] = {}
    for cells in ("grade_cells", "task_cells"):
        if "max_score" in columns.get(cells, set()):
            for name, points in database.execute(_MOST.format(cells=cells)):
                most[name] = most.get(name, 0.0) + float(points)
    return most


def _students(database: sqlite3.Connection, columns: dict[str, set[str]]) -> dict[str, tuple[str, ...]]:
    """First name, last name, address and ID in the LMS, which older databases do not have."""
    lms = "lms_user_id" if "lms_user_id" in columns["student"] else "NULL"
    rows = database.execute(f"SELECT id, first_name, last_name, email, {lms} FROM student")  # noqa: S608 - one of two words of ours
    return {key: tuple(_text(value) for value in rest) for key, *rest in rows}


def _text(value: object) -> str:
    """Of any type that a cell may have, without the bytes that a database of ours does not take."""
    return ("" if value is None else str(value)).replace("\0", "")[:LONGEST_TEXT]
