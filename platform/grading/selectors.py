"""Reads over jobs: the chip of a job, the latest job of each submission, the attempts that count."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Q

from assignments.models import Assignment
from courses.models import Enrollment
from courses.pages import StateChip
from grader.contract import GradeReport as Report
from grader.contract import Outcome
from grading.models import GradeReport, GradingJob, Status
from submissions.models import PracticeRun

CHIPS: dict[Status, StateChip] = {
    Status.REQUESTED: StateChip("run", "Waiting"),
    Status.QUEUED: StateChip("run", "Waiting"),
    Status.RUNNING: StateChip("run", "Grading"),
    Status.FINISHED: StateChip("pass", "Graded"),
    Status.FAILED: StateChip("warn", "Grader failed"),
    Status.CANCELLED: StateChip("muted", "Stopped"),
}
REFUSED = StateChip("fail", "Not gradable")


@dataclass(frozen=True)
class JobsOfSubmission:
    """The latest job of a submission, and its latest report that carries a score (its `data` is not loaded)."""

    latest: GradingJob | None = None
    graded: GradeReport | None = None

    @property
    def graded_by(self) -> int | None:
        """Id of the version of the lab that the report comes from."""
        return self.graded.job.lab_id if self.graded else None

    @property
    def chip(self) -> StateChip:
        """State of the latest job; a finished one says what came of it."""
        if self.latest is None:
            return StateChip("muted", "Not graded")
        refused = self.latest.status == Status.FINISHED and self.latest.stored_report.outcome == Outcome.REFUSED
        return REFUSED if refused else CHIPS[self.latest.status]


def jobs_of(submission_ids: Iterable[int], *, trials: Collection[int] = ()) -> dict[int, JobsOfSubmission]:
    """By submission id; a submission without a job is not in it. One query.

    Dry runs are left out, but for the jobs in `trials`, which are read as if they counted.
    """
    counted = Q(counts=True) | Q(pk__in=trials) if trials else Q(counts=True)
    jobs = GradingJob.objects.filter(counted, submission_id__in=submission_ids).order_by("pk")
    found: dict[int, JobsOfSubmission] = {}
    for job in jobs.select_related("stored_report").defer("stored_report__data", "error"):
        assert job.submission_id is not None
        earlier = found.get(job.submission_id, JobsOfSubmission())
        report = job.stored_report if hasattr(job, "stored_report") else None
        graded = report if report is not None and report.outcome == Outcome.GRADED else earlier.graded
        found[job.submission_id] = JobsOfSubmission(latest=job, graded=graded)
    return found


def attempts_used(assignment: Assignment, enrollment: Enrollment) -> int:
    """Submissions that count as an attempt: a refusal and a failure of the grader do not. Two queries."""
    ids = list(assignment.submissions.filter(enrollment=enrollment).values_list("pk", flat=True))
    free = {REFUSED, CHIPS[Status.FAILED]}
    jobs = jobs_of(ids)
    return sum(pk not in jobs or jobs[pk].chip not in free for pk in ids)


def latest_practice(assignment: Assignment, enrollment: Enrollment) -> GradingJob | None:
    """The job of the student's latest practice run, or nothing."""
    run = PracticeRun.objects.filter(assignment=assignment, enrollment=enrollment).first()
    return GradingJob.objects.select_related("stored_report").filter(practice_run=run).first() if run else None


def finished_report(job: GradingJob) -> Report | None:
    """What a finished job found, whole; None for any other."""
    return job.stored_report.report if job.status == Status.FINISHED else None
