"""Reads over jobs: the chip of a job, the latest job of each submission, the attempts that count, the workers alive."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from courses.pages import StateChip
from grader.contract import GradeReport as Report
from grader.contract import Outcome
from grading.fleet import Worker
from grading.models import GradeReport, GradingJob, Status
from submissions.models import PracticeRun, Submission

CHIPS: dict[Status, StateChip] = {
    Status.REQUESTED: StateChip("run", "Waiting"),
    Status.QUEUED: StateChip("run", "Waiting"),
    Status.RUNNING: StateChip("run", "Grading"),
    Status.FINISHED: StateChip("pass", "Graded"),
    Status.NEEDS_STAFF: StateChip("warn", "Needs staff", "wrench"),
    Status.CANCELLED: StateChip("muted", "Stopped"),
}
REFUSED = StateChip("fail", "Not gradable")
SET_ASIDE = StateChip("muted", "Set aside", "archive")


@dataclass(frozen=True)
class JobsOfSubmission:
    """The latest job of a submission, the latest that was no re-run of staff, and the latest report that carries a score.

    The report's `data` is not loaded. `corrected_from` is the score that stood before, where a bad canary had the work graded again and
    the score changed.
    """

    latest: GradingJob | None = None
    asked: GradingJob | None = None
    graded: GradeReport | None = None
    corrected_from: Decimal | None = None

    @property
    def graded_by(self) -> int | None:
        """Id of the version of the lab that the report comes from."""
        return self.graded.job.lab_id if self.graded else None

    @property
    def chip(self) -> StateChip:
        """State of the latest job; a finished one says what came of it."""
        if self.latest is None:
            return StateChip("muted", "Not graded")
        if self.latest.is_set_aside:
            return SET_ASIDE
        return REFUSED if _refused(self.latest) else CHIPS[self.latest.status]

    @property
    def costs_attempt(self) -> bool:
        """Whether it counts as an attempt: a refusal, a fault of ours and a run that never began do not.

        What staff run again changes nothing of this.
        """
        return self.asked is None or (self.asked.costs_attempt and not _refused(self.asked))


def jobs_of(submission_ids: Iterable[int], *, trials: Collection[int] = ()) -> dict[int, JobsOfSubmission]:
    """By submission id; a submission without a job is not in it. One query.

    Dry runs are left out, but for the jobs in `trials`, which are read as if they counted.
    """
    counted = Q(counts=True) | Q(pk__in=trials) if trials else Q(counts=True)
    jobs = GradingJob.objects.shown().filter(counted, submission_id__in=submission_ids).order_by("pk")
    found: dict[int, JobsOfSubmission] = {}
    for job in jobs.select_related("stored_report").defer("stored_report__data", "error"):
        assert job.submission_id is not None
        found[job.submission_id] = _with(found.get(job.submission_id, JobsOfSubmission()), job)
    return found


def _with(earlier: JobsOfSubmission, job: GradingJob) -> JobsOfSubmission:
    """The jobs of a submission with the next one after them."""
    asked = earlier.asked if job.rerun else job
    report = job.stored_report if hasattr(job, "stored_report") else None
    if report is None or report.outcome != Outcome.GRADED:
        return replace(earlier, latest=job, asked=asked)
    before = earlier.graded.score if job.canary_id and earlier.graded else report.score
    return JobsOfSubmission(job, asked, report, corrected_from=before if before != report.score else None)


def attempts_that_count(
    assignment: Assignment, enrollment: Enrollment, *, without: Collection[int] = ()
) -> list[Submission]:
    """The student's submissions that count as an attempt, latest first; `without` are ids to leave out. Two queries."""
    made = list(assignment.submissions.filter(enrollment=enrollment).exclude(pk__in=without))
    jobs = jobs_of(submission.pk for submission in made)
    return [row for row in made if jobs.get(row.pk, JobsOfSubmission()).costs_attempt]


def attempts_used(assignment: Assignment, enrollment: Enrollment, *, without: Collection[int] = ()) -> int:
    """How many submissions count as an attempt. Two queries."""
    return len(attempts_that_count(assignment, enrollment, without=without))


def cooldown_until(assignment: Assignment, enrollment: Enrollment, *, without: Collection[int] = ()) -> datetime | None:
    """When the student may hand in again, by the lab's minutes between two submissions; None when that is now."""
    if not assignment.cooldown_minutes:
        return None
    counted = attempts_that_count(assignment, enrollment, without=without)
    return counted[0].created_at + timedelta(minutes=assignment.cooldown_minutes) if counted else None


def waiting_submissions(assignment: Assignment, enrollment: Enrollment) -> dict[int, GradingJob]:
    """The student's own jobs at this assignment that have not begun, by submission id; not what staff asked for. One query."""
    jobs = GradingJob.objects.waiting().filter(submission__assignment=assignment, student=enrollment, rerun=False)
    listed = jobs.select_related("submission").order_by("pk")
    return {job.submission_id: job for job in listed if job.submission_id is not None}


def live_workers(lane: str) -> dict[str, int]:
    """The workers of a lane that may take jobs now, each with how many it runs at a time. One query."""
    now = clock.now()
    present = [worker for worker in Worker.objects.in_service() if lane in worker.lanes and worker.is_present(now)]
    return {worker.name: worker.concurrency for worker in present}


def latest_practice(assignment: Assignment, enrollment: Enrollment) -> GradingJob | None:
    """The job of the student's latest practice run, or nothing."""
    run = PracticeRun.objects.filter(assignment=assignment, enrollment=enrollment).first()
    return GradingJob.objects.select_related("stored_report").filter(practice_run=run).first() if run else None


def finished_report(job: GradingJob) -> Report | None:
    """What a finished job found, whole; None for any other."""
    return job.stored_report.report if job.status == Status.FINISHED else None


def _refused(job: GradingJob) -> bool:
    """Whether the job found that this cannot be graded."""
    return job.status == Status.FINISHED and job.stored_report.outcome == Outcome.REFUSED
