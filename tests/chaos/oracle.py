"""What the database says, asked by plain SQL over a connection of its own each time: nothing of the product is in between."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

JOBS = """
SELECT id, fence, attempt, dispatch_count, started_at, finished_at, failed_at, cancelled_at, lease_until, error
FROM grading_gradingjob WHERE submission_id = ? ORDER BY id
"""
REPORTS = """
SELECT report.outcome, report.score, report.max_score FROM grading_gradereport AS report
JOIN grading_gradingjob AS job ON job.id = report.job_id WHERE job.submission_id = ?
"""
SUBMISSIONS = """
SELECT submission.id FROM submissions_submission AS submission
JOIN courses_enrollment AS enrollment ON enrollment.id = submission.enrollment_id
JOIN accounts_user AS person ON person.id = enrollment.user_id WHERE person.email = ? ORDER BY submission.id
"""
FILES = "SELECT sha256 FROM submissions_submittedfile"
Away = (sqlite3.OperationalError, psycopg.OperationalError)


@dataclass(frozen=True)
class Job:
    """A row of grading_gradingjob."""

    pk: int
    fence: int
    attempt: int
    messages: int
    started_at: Any
    finished_at: Any
    failed_at: Any
    cancelled_at: Any
    lease_until: Any
    error: str


class Oracle:
    """Asks SQLite's file, or PostgreSQL by its address. Raises one of `Away` while the database is."""

    def __init__(self, database: Path | str) -> None:
        self._database = database

    def jobs(self, submission: int) -> list[Job]:
        """All jobs of a submission."""
        return [Job(*row) for row in self._rows(JOBS, submission)]

    def reports(self, submission: int) -> list[tuple[str, float, float]]:
        """Outcome, score and the most that it could be, of each report."""
        return [(outcome, float(score), float(most)) for outcome, score, most in self._rows(REPORTS, submission)]

    def submissions(self, email: str) -> list[int]:
        """A student's submissions."""
        return [pk for (pk,) in self._rows(SUBMISSIONS, email)]

    def files(self) -> set[str]:
        """Hashes of all files that a row names."""
        return {sha256 for (sha256,) in self._rows(FILES)}

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        if isinstance(self._database, str):
            with psycopg.connect(self._database, connect_timeout=3) as connection:
                return connection.execute(query.replace("?", "%s"), values).fetchall()
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute(query, values).fetchall()
