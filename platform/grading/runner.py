"""Running one job in a worker: claim the one whose turn it is, grade it behind walls with a beating lease, conclude."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

from config import connections
from grader.api import Stopped, grade
from grader.contract import GradeReport, JobSpec, Outcome, SandboxKind, SubmittedFile, Suite
from grading import claims, workers
from grading.claims import Claim
from grading.messages import put_off
from grading.models import GradingJob
from grading.progress import ProgressTracker
from submissions import storage
from submissions.stores import DamagedFile, StorageAway

log = structlog.get_logger(__name__)


def run_job(job_id: int, *, worker: str = "") -> None:
    """Answer a message: grade the job of its lane whose turn it is, which may be another than the one that it names.

    A message that comes twice, or while nothing of the lane may be taken, finds nothing to claim and returns.
    """
    lane = GradingJob.objects.filter(pk=job_id).values_list("lane", flat=True).first()
    held = claims.claim_next(lane=lane, worker=worker or workers.own_name()) if lane else None
    if held is None:
        put_off(job_id)
        log.info("nothing_to_claim", job=job_id)
        return
    _run(held)


def _run(held: Claim) -> None:
    """Grade the claimed job. An error that nobody foresaw is a fault of ours as well, and is raised again for the log."""
    job = _load(held.job_id)
    tracker = ProgressTracker(job)
    tracker.start()
    with Heartbeat(held) as beat:
        try:
            report = grade(job_spec(job), tracker.on_event, beat.is_lost)
        except Stopped:
            log.info("job_stopped", job=job.pk, fence=held.fence)
            return
        except StorageAway as error:
            claims.postpone(held, error=str(error))
            log.warning("job_postponed", job=job.pk, fence=held.fence, error=str(error))
            return
        except (DamagedFile, FileNotFoundError) as error:
            claims.record_fault(held, error=f"The submitted files cannot be read: {error}")
            return
        except Exception as error:
            claims.record_fault(held, error=f"{type(error).__name__}: {error}")
            raise
    connections.give_back()  # the database may have been restarted since the claim
    _conclude(held, job, report)


def job_spec(job: GradingJob) -> JobSpec:
    """What the grader needs to know of a job: nothing about the person."""
    owner = job.owner
    return JobSpec(
        job_id=str(job.pk),
        lab_path=str(job.lab.folder),
        files=tuple(
            SubmittedFile(file.name, str(storage.path(file.sha256)), file.sha256) for file in owner.files.all()
        ),
        seed=job.seed,
        suite=Suite(job.suite),
        sandbox=SandboxKind(settings.SANDBOX),
        allow_approximate_limits=settings.ALLOW_APPROXIMATE_LIMITS,
        gpu=job.lab.on_gpu,
    )


class Heartbeat:
    """Extends a lease from a thread of its own while the grader works; `is_lost` turns true when that fails."""

    def __init__(self, held: Claim) -> None:
        self._held = held
        self._lost, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{held.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def is_lost(self) -> bool:
        """Whether another worker may have the job, or someone stopped it: then the run must end."""
        return self._lost.is_set()

    def _beat(self) -> None:
        """Beat until done. A database that is away is given the length of the lease."""
        good_until = time.monotonic() + settings.GRADING_LEASE_S
        while not self._done.wait(settings.GRADING_HEARTBEAT_S):
            try:
                alive = claims.heartbeat(self._held)
                good_until = time.monotonic() + settings.GRADING_LEASE_S
            except DatabaseError as error:
                log.warning("heartbeat_failed", job=self._held.job_id, error=str(error))
                connection.close()  # a broken one stays broken; the next beat opens another
                alive = time.monotonic() < good_until
            if not alive:
                self._lost.set()
                break
        connection.close()


def _load(job_id: int) -> GradingJob:
    return GradingJob.objects.select_related("submission", "practice_run", "lab").get(pk=job_id)


def _conclude(held: Claim, job: GradingJob, report: GradeReport) -> None:
    """Write the outcome, if the claim still holds."""
    ours = report.outcome == Outcome.GRADER_ERROR
    kept = claims.record_fault(held, error=report.message) if ours else claims.record_report(held, report)
    log.info("job_concluded", job=job.pk, fence=held.fence, outcome=report.outcome.value, score=report.score, kept=kept)
