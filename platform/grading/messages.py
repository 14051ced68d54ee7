"""Messages to the workers of a lane. A message is a nudge to look for a job: it may be lost, come twice, or find nothing to do."""

from __future__ import annotations

import structlog
from celery.exceptions import CeleryError
from django.conf import settings
from kombu.exceptions import KombuError

from config import clock, redis
from grading.models import GradingJob

log = structlog.get_logger(__name__)


def dispatch(job: GradingJob) -> bool:
    """Nudge a worker with the job's id; False when the broker is away. The sweeper sends lost messages again."""
    from grading.tasks import grade_job  # noqa: PLC0415 - tasks call the runner, which ends in these services

    if not settings.REDIS_URL:
        return False
    try:
        grade_job.apply_async((job.pk,), queue=job.lane)
    except (CeleryError, KombuError, redis.Unavailable, OSError) as error:
        log.warning("job_not_dispatched", job=job.pk, error=str(error))
        return False
    GradingJob.objects.filter(pk=job.pk).update(queued_at=clock.now(), dispatch_count=job.dispatch_count + 1)
    return True


def dispatch_next(ended: GradingJob) -> None:
    """Nudge for the next job of the student whose job ended: until then nobody might take it."""
    behind = GradingJob.objects.waiting().filter(student=ended.student_id, lane=ended.lane).exclude(pk=ended.pk)
    if (following := behind.in_line().first()) is not None:
        dispatch(following)


def put_off(job_id: int) -> None:
    """Note that a waiting job has no message any more: the sweeper sends one as soon as somebody may take the job."""
    GradingJob.objects.waiting().filter(pk=job_id).update(queued_at=None)


def messages_waiting(lane: str) -> int:
    """How many messages lie in the lane's queue; none when the broker is away."""
    client = redis.client()
    try:
        return client.llen(lane) if client else 0
    except redis.Unavailable:
        return 0
