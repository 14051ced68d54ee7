"""The independent reading: what the clients were told, held against the database by plain SQL and against the files on the disk.

Nothing of the product is imported here, so a fault of its models cannot hide itself.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from .browser import Press

SUBMISSIONS = """
SELECT s.id, u.email, s.client_token, s.sha256
FROM submissions_submission s JOIN courses_enrollment e ON e.id = s.enrollment_id JOIN accounts_user u ON u.id = e.user_id
WHERE s.client_token IS NOT NULL
"""
FILES = "SELECT submission_id, name, sha256 FROM submissions_submittedfile WHERE submission_id IS NOT NULL"
REPORTS = """
SELECT j.submission_id, r.outcome, r.score, j.finished_at
FROM grading_gradingjob j LEFT JOIN grading_gradereport r ON r.job_id = j.id
JOIN submissions_submission s ON s.id = j.submission_id WHERE s.client_token IS NOT NULL
"""
WAITING = """
SELECT count(*) FROM grading_gradingjob WHERE finished_at IS NULL AND failed_at IS NULL AND cancelled_at IS NULL
"""


@dataclass
class Findings:
    """`lost` lacks a row, a file or a report; `wrong` is there but not as it should be. Each is told in a sentence."""

    accepted: int = 0
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    finished_at: list[datetime] = field(default_factory=list)


@dataclass(frozen=True)
class Books:
    """Rows as the database has them: by click, and by submission."""

    by_click: dict[tuple[str, str], list[tuple[int, str]]]
    files: dict[int, list[tuple[str, str]]]
    reports: dict[int, list[tuple[str | None, float | None, datetime | None]]]


class Reader:
    """A connection of our own, opened before the rush, so that it is there even when the site has taken all others."""

    def __init__(self, database_url: str) -> None:
        self._connection: Any
        if database_url.startswith("postgresql:"):
            self._connection = psycopg.connect(database_url, autocommit=True)
        else:
            at = f"file:{database_url}?mode=ro"
            self._connection = sqlite3.connect(at, uri=True, timeout=30, check_same_thread=False)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Every row of the answer."""
        return list(self._connection.execute(query).fetchall())

    def still_waiting(self) -> int:
        """Jobs without an end."""
        return int(self.ask(WAITING)[0][0])

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def audit(reader: Reader, files: Path, presses: Sequence[Press], besides: Sequence[Press] = ()) -> Findings:
    """Each click that was accepted has one receipt, one row, one file with the bytes that were sent, one report with its score.

    `besides` are presses that may be in the database and do not count.
    """
    books, findings = _books(reader), Findings()
    for press in besides:
        books.by_click.pop((press.email, press.token), None)
    clicks: dict[tuple[str, str], list[Press]] = defaultdict(list)
    for press in presses:
        clicks[press.email, press.token].append(press)
    for click, pressed in clicks.items():
        rows = books.by_click.pop(click, [])
        told = [press for press in pressed if press.submission is not None]
        findings.refused += not told and any(press.refused for press in pressed)
        findings.wrong += [_unheard(press) for press in pressed if press.submission is None and not press.refused]
        if told:
            findings.accepted += 1
            _follow(findings, books, files, told, rows)
        elif rows:
            findings.wrong.append(f"{click[0]} was not told of submission {rows[0][0]}, which is there")
    findings.wrong += [f"nobody pressed for submission {row[0]}" for rows in books.by_click.values() for row in rows]
    return findings


def _follow(
    findings: Findings, books: Books, files: Path, told: Sequence[Press], rows: Sequence[tuple[int, str]]
) -> None:
    """One accepted click, from its receipt to its report."""
    press = told[-1]
    named = f"submission {press.submission} of {press.email}"
    if [pk for pk, _ in rows] != [press.submission] or any(other.submission != press.submission for other in told):
        findings.lost.append(f"{named}: the database has {[pk for pk, _ in rows]} for this click")
        return
    pk, sha256 = rows[0]
    if sha256 != press.work.manifest_sha256 or press.receipt != f"{pk} {sha256[:4]}…{sha256[-4:]}":
        findings.wrong.append(f"{named}: the receipt says {press.receipt!r}, the database {sha256}")
    if books.files[pk] != [("work.py", press.work.sha256)] or not _is_stored(files, press.work.sha256):
        findings.lost.append(f"{named}: its file is not there as it was sent")
    reports = books.reports[pk]
    if len(reports) != 1 or reports[0][0] is None:
        findings.lost.append(f"{named}: {len(reports)} jobs, and not one report")
    elif reports[0][:2] != ("graded", press.work.score):
        findings.wrong.append(f"{named}: {reports[0][:2]} instead of {press.work.score:g} points")
    findings.finished_at += [at for *_, at in reports if at is not None]


def _unheard(press: Press) -> str:
    return f"{press.email} pressed and got status {press.status} {press.sentence}".rstrip()


def _is_stored(files: Path, sha256: str) -> bool:
    path = files / sha256[:2] / sha256[2:4] / sha256
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _books(reader: Reader) -> Books:
    by_click, files, reports = defaultdict(list), defaultdict(list), defaultdict(list)
    for pk, email, token, sha256 in reader.ask(SUBMISSIONS):
        by_click[email, token.partition(":")[0]].append((pk, sha256))  # behind it stands a hash of what was sent
    for pk, name, sha256 in reader.ask(FILES):
        files[pk].append((name, sha256))
    for pk, outcome, score, at in reader.ask(REPORTS):
        reports[pk].append((outcome, None if score is None else float(score), _moment(at)))
    return Books(by_click, files, reports)


def _moment(value: datetime | str | None) -> datetime | None:
    """SQLite keeps moments as text in UTC."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value


def quantile(seconds: Iterable[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed; 0 of none."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)] if ordered else 0.0
