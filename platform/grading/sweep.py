"""The sweeper: sends lost messages again and hands jobs to staff that no worker survives. The database is the truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings

from config import clock
from grading import progress
from grading.messages import dispatch, dispatch_next, messages_waiting
from grading.models import GradingJob, Lane

BATCH = 500
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Swept:
    """What one sweep did: messages sent again, jobs given up."""

    redriven: int
    failed: int


def sweep() -> Swept:
    """Look once for jobs without a message that somebody may take, and for running ones whose lease ran out."""
    now = clock.now()
    dead = GradingJob.objects.begun().claimable(now).filter(attempt__gte=settings.GRADING_MAX_CLAIMS)
    failed = sum(_give_up(job, now) for job in dead[:BATCH])
    redriven = sum(_redrive(lane, now) for lane in Lane)
    if redriven or failed:
        log.info("swept", redriven=redriven, failed=failed)
    return Swept(redriven, failed)


def _redrive(lane: Lane, now: datetime) -> int:
    """Send as many messages as the lane lacks, in the order of turns; stops at the first one that the broker does not take."""
    in_lane = GradingJob.objects.filter(lane=lane)
    lost = in_lane.lost(now, timedelta(seconds=settings.GRADING_REDISPATCH_S)).in_line()
    lacking = in_lane.free(now).count() - messages_waiting(lane)
    sent = 0
    for job in lost[: max(0, min(lacking, BATCH))]:
        if not dispatch(job):
            break
        sent += 1
    return sent


def _give_up(job: GradingJob, now: datetime) -> bool:
    told = f"{job.attempt} workers took this job and none came back. The last one was {job.worker or 'unknown'}."
    found = GradingJob.objects.claimable(now).filter(pk=job.pk, fence=job.fence)
    failed = found.update(failed_at=now, lease_until=None, error=f"{job.error}\n{told}".strip())
    if failed:
        job.refresh_from_db()
        progress.announce(job)
        dispatch_next(job)
        log.error("job_needs_staff", job=job.pk, worker=job.worker)
    return bool(failed)
