"""Claiming a job: a lease and a fencing token by conditional UPDATEs, so that one worker at a time may write its result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from config import clock
from courses.models import Enrollment
from grader import contract
from grading import progress
from grading.messages import dispatch, dispatch_next
from grading.models import GradeReport, GradingJob
from grading.querysets import GradingJobQuerySet
from grading.selectors import live_workers

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Claim:
    """The right to write to a job, as long as nobody claimed it later."""

    job_id: int
    fence: int


def claim_next(*, lane: str, worker: str) -> Claim | None:
    """Take the job of the lane whose turn it is, among those that this worker may take; None when there is none."""
    now, lost_races = clock.now(), list[int]()
    while True:
        free = GradingJob.objects.filter(lane=lane).free(now).open_to(worker)
        mine = free.exclude(_left_to_others(lane, worker, now))
        job_id = mine.exclude(pk__in=lost_races).in_line().values_list("pk", flat=True).first()
        if job_id is None:
            return None
        if (held := claim(job_id=job_id, worker=worker)) is not None:
            return held
        lost_races.append(job_id)


@transaction.atomic
def claim(*, job_id: int, worker: str) -> Claim | None:
    """Take this job for the length of a lease; None when it has ended, or another worker has it or another job of its student.

    The conditional UPDATE is won by one worker alone; the student's other jobs go to the back of the line.
    """
    # one student's jobs are taken one at a time, also where transactions run side by side
    list(Enrollment.objects.select_for_update(of=("self",), no_key=True).filter(jobs=job_id))
    now = clock.now()
    taken = (
        GradingJob.objects.free(now)
        .open_to(worker)
        .filter(pk=job_id)
        .update(
            started_at=now,
            lease_until=now + _lease(),
            fence=F("fence") + 1,
            attempt=F("attempt") + 1,
            worker=worker,
        )
    )
    if not taken:
        return None
    job = GradingJob.objects.get(pk=job_id)
    others = GradingJob.objects.waiting().filter(student=job.student_id, lane=job.lane)
    others.update(in_line_at=now)
    return Claim(job_id, job.fence)


def heartbeat(held: Claim) -> bool:
    """Extend the lease; False once the claim is lost or the job was stopped."""
    return bool(_held(held).update(lease_until=clock.now() + _lease()))


@transaction.atomic
def record_report(held: Claim, report: contract.GradeReport) -> bool:
    """Store the report and finish the job; False, and nothing stored, when the claim is lost."""
    now = clock.now()
    if not _held(held).update(finished_at=now, lease_until=None, error=""):
        return False
    GradeReport.objects.create(
        job_id=held.job_id,
        outcome=report.outcome,
        score=str(report.score),
        max_score=str(report.max_score),
        data=report.to_json().decode(),
        created_at=now,
    )
    transaction.on_commit(lambda: _ended(held.job_id))
    return True


@transaction.atomic
def record_fault(held: Claim, *, error: str) -> bool:
    """End a run that failed by our fault: once more, on another worker if there is one; after the second fault it needs staff.

    `error` is for staff. False, and nothing changed, when the claim is lost.
    """
    job = _held(held).select_for_update().first()
    if job is None:
        return False
    job.faults, job.faulted_on, job.faulted_at = job.faults + 1, job.worker, clock.now()
    job.error = f"{job.error}\nOn {job.worker}:\n{error}".strip()
    job.lease_until = None
    if job.faults < settings.GRADING_MAX_FAULTS:
        job.started_at, job.queued_at, job.worker = None, None, ""
        transaction.on_commit(lambda: dispatch(job))
    else:
        job.failed_at = job.faulted_at
        log.error("job_needs_staff", job=job.pk, error=error)
    job.save()
    transaction.on_commit(lambda: _ended(job.pk))
    return True


def postpone(held: Claim, *, error: str) -> bool:
    """Leave the job until its lease has run out, without counting this try: what it needs is away, and comes back."""
    return bool(_held(held).update(attempt=F("attempt") - 1, error=error))


def _left_to_others(lane: str, worker: str, now: datetime) -> Q:
    """The jobs that failed here: they are left to other workers while one is alive, and for a minute in any case."""
    failed_here = Q(faulted_on=worker)
    if set(live_workers(lane)) - {worker}:
        return failed_here
    return failed_here & Q(faulted_at__gt=now - timedelta(seconds=settings.GRADING_RETRY_S))


def _held(held: Claim) -> GradingJobQuerySet:
    return GradingJob.objects.active().filter(pk=held.job_id, fence=held.fence)


def _lease() -> timedelta:
    return timedelta(seconds=settings.GRADING_LEASE_S)


def _ended(job_id: int) -> None:
    """After a run: those who watch hear of it, and the student's next job is nudged."""
    job = GradingJob.objects.select_related("stored_report").get(pk=job_id)
    progress.announce(job)
    if not job.is_active:
        dispatch_next(job)
