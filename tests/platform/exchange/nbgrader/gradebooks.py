"""Databases as nbgrader writes them, as far as its points go: the tables and columns of its schema that hold them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

SCHEMA = """
CREATE TABLE student (id VARCHAR(128) PRIMARY KEY, first_name VARCHAR(128), last_name VARCHAR(128), email VARCHAR(128),
  lms_user_id VARCHAR(128));
CREATE TABLE assignment (id VARCHAR(32) PRIMARY KEY, name VARCHAR(128) NOT NULL UNIQUE, duedate DATETIME, course_id VARCHAR(128));
CREATE TABLE notebook (id VARCHAR(32) PRIMARY KEY, name VARCHAR(128), assignment_id VARCHAR(32), kernelspec VARCHAR(1024));
CREATE TABLE base_cell (id VARCHAR(32) PRIMARY KEY, name VARCHAR(128), notebook_id VARCHAR(32), type VARCHAR(50));
CREATE TABLE grade_cells (id VARCHAR(32) PRIMARY KEY, max_score FLOAT NOT NULL, cell_type VARCHAR(8));
CREATE TABLE task_cells (id VARCHAR(32) PRIMARY KEY, max_score FLOAT NOT NULL, cell_type VARCHAR(8));
CREATE TABLE submitted_assignment (id VARCHAR(32) PRIMARY KEY, assignment_id VARCHAR(32), student_id VARCHAR(128), timestamp DATETIME);
CREATE TABLE submitted_notebook (id VARCHAR(32) PRIMARY KEY, assignment_id VARCHAR(32), notebook_id VARCHAR(32), flagged BOOLEAN,
  late_submission_penalty FLOAT);
CREATE TABLE grade (id INTEGER PRIMARY KEY, notebook_id VARCHAR(32), cell_id VARCHAR(32), auto_score FLOAT, manual_score FLOAT,
  extra_credit FLOAT, needs_manual_grade BOOLEAN NOT NULL);
"""


class Gradebook:
    """One assignment after the other, each with two notebooks of a code cell of 3, a text cell of 2.5 and a task of 1 point."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = sqlite3.connect(path)
        self.database.executescript(SCHEMA)

    def assignment(self, name: str) -> None:
        run = self.database.execute
        run("INSERT INTO assignment (id, name) VALUES (?, ?)", (name, name))
        for book in (f"{name}-1", f"{name}-2"):
            run("INSERT INTO notebook (id, name, assignment_id) VALUES (?, ?, ?)", (book, book, name))
            for cell, table, most in (("a", "grade_cells", 3), ("b", "grade_cells", 2.5), ("t", "task_cells", 1)):
                run("INSERT INTO base_cell VALUES (?, ?, ?, ?)", (f"{book}-{cell}", cell, book, table))
                run(f"INSERT INTO {table} VALUES (?, ?, 'code')", (f"{book}-{cell}", most))

    def student(self, name: str, *, first: str = "", last: str = "", email: str | None = None, lms: str = "") -> None:
        self.database.execute("INSERT INTO student VALUES (?, ?, ?, ?, ?)", (name, first, last, email, lms))

    def graded(
        self, assignment: str, student: str, auto: float | None, manual: float | None = None, *, extra: float | None = None,
        waits: bool = False, penalty: float | None = None,
    ) -> None:  # fmt: skip
        """The same scores in every cell; the penalty is each notebook's."""
        run, key = self.database.execute, f"{assignment}/{student}"
        run("INSERT INTO submitted_assignment VALUES (?, ?, ?, '2026-01-01')", (key, assignment, student))
        for book in (f"{assignment}-1", f"{assignment}-2"):
            run("INSERT INTO submitted_notebook VALUES (?, ?, ?, 0, ?)", (f"{key}/{book}", key, book, penalty))
            for cell in "abt":
                values = (f"{key}/{book}", f"{book}-{cell}", auto, manual, extra, waits)
                run(
                    "INSERT INTO grade (notebook_id, cell_id, auto_score, manual_score, extra_credit, needs_manual_grade) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    values,
                )

    def data(self) -> bytes:
        self.database.commit()
        self.database.close()
        return self.path.read_bytes()
