"""Results of one submission, and of a whole lab as a zip."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from assignments.models import Assignment
from config import clock
from config.spreadsheets import csv_text
from exchange.gradescope.results import Results, results_of
from grader.contract import GradeReport as Report
from grading.models import GradeReport
from grading.selectors import jobs_of
from reviews.lists import best
from reviews.scores import Scored, score_all
from submissions.models import Submission

IN_MEMORY = 8 * 1024 * 1024
BATCH = 50
HEADER = ("name", "email", "folder", "receipt", "score", "max_score")


@dataclass(frozen=True)
class Exported:
    """One submission with its results."""

    submission: Submission
    scored: Scored
    results: Results


def results_for(submission: Submission) -> Results | None:
    """None while there is no report. The submission comes with its assignment and student."""
    return next((row.results for row in _exported(score_all([submission], for_staff=True))), None)


def counting(assignment: Assignment) -> list[Scored]:
    """The attempt that counts of each student who has a graded one."""
    students = assignment.offering.enrollments.students().order_by().values("pk")
    handed_in = Submission.objects.filter(assignment=assignment, enrollment__in=students).order_by("pk")
    attempts: dict[int, list[Scored]] = {}
    for scored in score_all(handed_in.select_related("assignment", "enrollment__user"), for_staff=True):
        attempts.setdefault(scored.submission.enrollment_id, []).append(scored)
    return [top for rows in attempts.values() if (top := best(rows)) is not None]


def zip_of(assignment: Assignment) -> IO[bytes]:
    """A folder a student with `results.json`, and `index.csv`, which says whose each is. The file is at its beginning."""
    file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the response closes it
    rows: list[tuple[Any, ...]] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in _exported(counting(assignment)):
            folder = folder_of(row.submission)
            archive.writestr(f"{folder}/results.json", row.results.to_json())
            user = row.submission.enrollment.user
            score, most = row.scored.score, row.scored.max_score
            rows.append((user.sort_name, user.email, folder, row.submission.receipt_number, score, most))
        archive.writestr("index.csv", csv_text([HEADER, *sorted(rows)]))
    file.seek(0)
    return file


def folder_of(submission: Submission) -> str:
    """A name that is one folder on every system, and nobody else's."""
    local = submission.enrollment.user.email.partition("@")[0]
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', local).strip('.') or 'student'}-{submission.pk}"


def _exported(scored: Iterable[Scored]) -> Iterator[Exported]:
    """Those that have a report, a few reports in memory at a time."""
    listed = {row.submission.pk: row for row in scored}
    jobs = jobs_of(listed)
    graded = {found.graded.pk: listed[pk] for pk, found in jobs.items() if found.graded is not None}
    stored = GradeReport.objects.filter(pk__in=graded).order_by("pk").values_list("pk", "data")
    for pk, data in stored.iterator(chunk_size=BATCH):
        row = graded[pk]
        released = row.submission.assignment.is_released(clock.now())
        about = _about(row.submission)
        yield Exported(
            row.submission, row, results_of(Report.from_json(data), score=row.score, released=released, about=about)
        )


def _about(submission: Submission) -> dict[str, str]:
    return {
        "submission": submission.receipt_number,
        "submitted_at": submission.created_at.isoformat(),
        "sha256": submission.sha256,
    }
