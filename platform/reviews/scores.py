"""Effective scores: what a report found, with what staff decided in its place.

Staff see every override; a student sees an override from its release on. Automatic scores are always read from the
latest graded report that counts, so a regrade changes them and leaves the overrides standing. An override of a task that
the report's version of the lab does not have stands, and adds nothing; one of more points than the task has there counts as all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from courses.pages import StateChip
from grader.contract import GradeReport as Report
from grader.contract import PointsOfReport
from grading.models import GradeReport, GradingJob
from grading.selectors import JobsOfSubmission, jobs_of
from reviews.models import RubricScore
from submissions.models import Submission

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Scored:
    """A submission with the score that the viewer may see; without a graded report there is none.

    `graded_by` is the id of the version of the lab that the score comes from.
    """

    submission: Submission
    job: GradingJob | None
    chip: StateChip
    score: Decimal | None
    max_score: Decimal | None
    overridden: bool
    pending: int
    graded_by: int | None

    @property
    def precedence(self) -> tuple[Decimal, int]:
        """Of a student's attempts the one with the highest counts."""
        return precedence(self.score or Decimal(0), self.max_score or Decimal(0), self.submission.number)

    @property
    def is_older(self) -> bool:
        """Whether the lab has another version by now than the one that graded this."""
        return self.graded_by is not None and self.graded_by != self.submission.assignment.lab_id


def score_all(submissions: Iterable[Submission], *, for_staff: bool, trials: Collection[int] = ()) -> list[Scored]:
    """Score each submission, in the given order. Three queries, however many there are.

    Dry runs named in `trials` (ids of jobs) are read as if they counted.
    """
    listed = list(submissions)
    ids = [submission.pk for submission in listed]
    jobs = jobs_of(ids, trials=trials)
    overrides: dict[int, list[RubricScore]] = {}
    for override in RubricScore.objects.filter(submission_id__in=ids).select_related("item"):
        overrides.setdefault(override.submission_id, []).append(override)
    needed = [jobs[pk].graded for pk in overrides if pk in jobs]
    reports = points_of_reports([stored.pk for stored in needed if stored is not None])
    return [
        _scored(row, jobs.get(row.pk, JobsOfSubmission()), overrides.get(row.pk, []), reports, for_staff=for_staff)
        for row in listed
    ]


def precedence(score: Decimal, max_score: Decimal, number: int) -> tuple[Decimal, int]:
    """Orders a student's graded attempts, the one that counts last: the highest share of all points of its version of the lab, since
    versions differ in points, and of equals the earliest."""
    return (score / max_score if max_score else Decimal(0)), -number


def points_of_reports(pks: Collection[int]) -> dict[int, PointsOfReport]:
    """The points in stored reports, by their ids. One query, or none."""
    rows = GradeReport.objects.filter(pk__in=pks).values_list("pk", "data") if pks else []
    return {pk: PointsOfReport.from_json(data) for pk, data in rows}


def auto_scores(report: Report | PointsOfReport) -> dict[str, Decimal]:
    """Automatic points of each task of a report."""
    totals = {task.id: Decimal(0) for task in report.tasks}
    for check in report.checks:
        totals[check.task] = totals.get(check.task, Decimal(0)) + points(check.score)
    return totals


def task_scores(report: Report | PointsOfReport, given: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Points of each task of a report: automatic ones, or what staff gave in their place, which is never more than the task has."""
    most = {task.id: points(task.points) for task in report.tasks}
    auto = auto_scores(report)
    return auto | {task: min(by_staff, most.get(task, by_staff)) for task, by_staff in given if task in auto}


def with_overrides(score: Decimal, report: Report | PointsOfReport, given: Iterable[tuple[str, Decimal]]) -> Decimal:
    """A report's score with what staff gave to tasks in place of its automatic points; a task that it does not have adds nothing."""
    return score + sum(task_scores(report, given).values()) - sum(auto_scores(report).values())


@lru_cache(maxsize=4096)
def points(value: float) -> Decimal:
    """The grader's points as an exact number of hundredths."""
    return Decimal(str(value)).quantize(CENT)


def visible(overrides: Iterable[RubricScore], *, for_staff: bool) -> list[RubricScore]:
    """The overrides that the viewer may see."""
    return [override for override in overrides if for_staff or override.released_at is not None]


def _scored(
    submission: Submission,
    jobs: JobsOfSubmission,
    overrides: list[RubricScore],
    reports: dict[int, PointsOfReport],
    *,
    for_staff: bool,
) -> Scored:
    shown = visible(overrides, for_staff=for_staff)
    score = jobs.graded.score if jobs.graded else None
    if jobs.graded and shown:
        given = ((row.item.task_id, row.score) for row in shown)
        score = with_overrides(jobs.graded.score, reports[jobs.graded.pk], given)
    return Scored(
        submission=submission,
        job=jobs.latest,
        chip=jobs.chip,
        score=score,
        max_score=jobs.graded.max_score if jobs.graded else None,
        overridden=bool(shown),
        pending=sum(override.released_at is None for override in overrides) if for_staff else 0,
        graded_by=jobs.graded_by,
    )
