"""The sweeper: sends lost messages again and gives up on jobs that no worker survives. The database is the truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.conf import settings

from config import clock
from grading import progress
from grading.models import GradingJob
from grading.services import dispatch

BATCH = 500
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Swept:
    """What one sweep did: messages sent again, jobs given up."""

    redriven: int
    failed: int


def sweep() -> Swept:
    """Look once for waiting jobs without a message and for running ones whose lease ran out."""
    now = clock.now()
    patience = timedelta(seconds=settings.GRADING_REDISPATCH_S)
    redriven = failed = 0
    for job in GradingJob.objects.lost(now, patience).order_by("pk")[:BATCH]:
        if job.attempt >= settings.GRADING_MAX_CLAIMS:
            failed += _give_up(job)
        else:
            redriven += dispatch(job)
    if redriven or failed:
        log.info("swept", redriven=redriven, failed=failed)
    return Swept(redriven, failed)


def _give_up(job: GradingJob) -> bool:
    error = f"{job.attempt} workers took this job and none came back. The last one was {job.worker or 'unknown'}. {job.error}".strip()
    now = clock.now()
    failed = GradingJob.objects.claimable(now).filter(pk=job.pk, fence=job.fence).update(failed_at=now, error=error)
    if failed:
        job.refresh_from_db()
        progress.announce(job)
        log.error("job_given_up", job=job.pk, worker=job.worker)
    return bool(failed)
