"""Claiming a job: a lease and a fencing token by conditional UPDATEs, so that one worker at a time may write its result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from config import clock
from grader import contract
from grading import progress
from grading.models import GradeReport, GradingJob
from grading.querysets import GradingJobQuerySet
from grading.services import dispatch


@dataclass(frozen=True)
class Claim:
    """The right to write to a job, as long as nobody claimed it later."""

    job_id: int
    fence: int


@transaction.atomic
def claim(*, job_id: int, worker: str) -> Claim | None:
    """Take the job for the length of a lease; None when another worker has it or it has ended."""
    now = clock.now()
    taken = (
        GradingJob.objects.claimable(now)
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
    return Claim(job_id, GradingJob.objects.values_list("fence", flat=True).get(pk=job_id))


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
    transaction.on_commit(lambda: _announce(held.job_id))
    return True


@transaction.atomic
def give_back(held: Claim, *, error: str) -> bool:
    """Put the job back into its queue after a fault of ours; `error` is for staff."""
    returned = _held(held).update(started_at=None, queued_at=None, lease_until=None, worker="", error=error)
    if returned:
        job = GradingJob.objects.get(pk=held.job_id)
        transaction.on_commit(lambda: dispatch(job))
        transaction.on_commit(lambda: _announce(held.job_id))
    return bool(returned)


def postpone(held: Claim, *, error: str) -> bool:
    """Leave the job until its lease has run out, without counting this try: what it needs is away, and comes back."""
    return bool(_held(held).update(attempt=F("attempt") - 1, error=error))


@transaction.atomic
def fail(held: Claim, *, error: str) -> bool:
    """End the job as failed, by our fault; `error` is for staff."""
    failed = _held(held).update(failed_at=clock.now(), lease_until=None, error=error)
    if failed:
        transaction.on_commit(lambda: _announce(held.job_id))
    return bool(failed)


def _held(held: Claim) -> GradingJobQuerySet:
    return GradingJob.objects.active().filter(pk=held.job_id, fence=held.fence)


def _lease() -> timedelta:
    return timedelta(seconds=settings.GRADING_LEASE_S)


def _announce(job_id: int) -> None:
    progress.announce(GradingJob.objects.select_related("stored_report").get(pk=job_id))
