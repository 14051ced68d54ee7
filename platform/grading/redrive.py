"""What a worker graded while it may have been wrong is graded again, by another one. Students hear of a changed score alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from config import clock
from grading.fleet import CanaryRun, Drain, DrainKind, Worker
from grading.messages import dispatch
from grading.models import GradingJob
from grading.services import request_grading

log = structlog.get_logger(__name__)


def suspects(worker: Worker, since: datetime) -> Iterable[GradingJob]:
    """The jobs that this worker ended from `since` on and whose result still stands, the latest first.

    No later run took its place: neither a dry run does, nor one that was stopped or failed by our fault.
    """
    counting = GradingJob.objects.counting()
    later = counting.filter(submission=OuterRef("submission"), pk__gt=OuterRef("pk"), cancelled_at=None, failed_at=None)
    ended = counting.filter(Q(finished_at__gte=since) | Q(failed_at__gte=since))
    mine = ended.filter(worker=worker.name, submission__isnull=False).exclude(Exists(later))
    return mine.select_related("submission", "lab").order_by("-pk")


def grade_again(worker: Worker, *, canary: CanaryRun, since: datetime) -> int:
    """Ask for a new run of each suspect, marked with the canary that was bad; returns how many."""
    asked = sum(_ask(job, canary) for job in suspects(worker, since))
    if asked:
        log.warning("graded_again", worker=worker.name, jobs=asked, canary=canary.pk)
    return asked


def in_doubt(jobs: QuerySet[GradingJob]) -> QuerySet[GradingJob]:
    """Those of these jobs that a worker ended in a time for which it is suspect, whether or not they count."""
    suspect = Drain.objects.filter(
        kind=DrainKind.CANARY, worker__name=OuterRef("worker"), suspect_since__lte=OuterRef("finished_at")
    )
    return jobs.filter(Exists(suspect.filter(Q(ended_at=None) | Q(ended_at__gte=OuterRef("finished_at")))))


@transaction.atomic
def take_back(worker: Worker) -> int:
    """Take from a bad worker what it runs now: the new fence makes its report worthless, and another one begins anew."""
    held = GradingJob.objects.active().filter(worker=worker.name, started_at__isnull=False)
    jobs = list(held)
    held.update(
        started_at=None,
        queued_at=None,
        lease_until=None,
        worker="",
        fence=F("fence") + 1,
        attempt=F("attempt") - 1,  # it was not the job's doing
    )
    log.warning("taken_back", worker=worker.name, jobs=[job.pk for job in jobs])
    for job in jobs:
        transaction.on_commit(lambda job=job: dispatch(job))  # type: ignore[misc]
    return len(jobs)


def _ask(job: GradingJob, canary: CanaryRun) -> bool:
    """By the version that graded it: a newer one changes scores by a regrade alone."""
    assert job.submission is not None
    try:
        with transaction.atomic():
            again = request_grading(submission=job.submission, lab=job.lab, at=clock.now(), rerun=True)
            GradingJob.objects.filter(pk=again.pk).update(canary=canary)
    except IntegrityError:
        return False  # a later run of it is suspect, too, or staff asked for one this very moment
    return True
