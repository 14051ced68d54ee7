"""Handing in, running the checks, regrading and stopping: each makes or ends a job together with its cause."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

import structlog
from celery.exceptions import CeleryError
from django.conf import settings
from django.db import IntegrityError, transaction
from kombu.exceptions import KombuError

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from config.redis import Unavailable
from courses.models import Enrollment
from grader.contract import Suite
from grading import progress
from grading.models import GradingJob
from grading.selectors import attempts_used
from submissions.models import PracticeRun, Submission
from submissions.services import (
    IncomingFile,
    SubmissionRefused,
    check_may_submit,
    receive_files,
    record_practice_run,
    record_submission,
)

log = structlog.get_logger(__name__)
INTERACTIVE, GRADING = "interactive", "grading"


class GradingRefused(Exception):  # noqa: N818 - an answer to staff, not a fault
    """A run that cannot be started now; the text says why."""


def hand_in(
    *,
    assignment: Assignment,
    enrollment: Enrollment,
    files: Sequence[IncomingFile],
    source: str,
    client_token: str | None = None,
) -> Submission:
    """Accept a student's work and ask for its grading; raises `SubmissionRefused`, and then nothing is stored.

    Lateness is decided by the moment of the call. The same `client_token` again returns the submission it made before.
    """
    received_at = clock.now()
    if (earlier := _by_token(enrollment, client_token)) is not None:
        return earlier
    check_may_submit(assignment=assignment, enrollment=enrollment, received_at=received_at)
    _check_attempts(assignment, enrollment)
    _check_not_flooding(enrollment)
    stored = receive_files(assignment=assignment, files=files)
    try:
        with transaction.atomic():
            submission = record_submission(
                assignment=assignment,
                enrollment=enrollment,
                files=stored,
                source=source,
                client_token=client_token,
                received_at=received_at,
                waiting_ahead=GradingJob.objects.waiting().filter(practice_run=None).count(),
            )
            _check_attempts(assignment, enrollment, besides=1)
            request_grading(submission=submission, at=received_at)
    except IntegrityError:
        # the second of two clicks that arrived together: the first one's submission stands
        if (earlier := _by_token(enrollment, client_token)) is None:
            raise
        return earlier
    return submission


def run_checks(*, assignment: Assignment, enrollment: Enrollment, files: Sequence[IncomingFile]) -> GradingJob:
    """Run the public checks on unsubmitted work. It takes the place of an earlier run that still waits."""
    received_at = clock.now()
    if assignment.lab is None:
        raise SubmissionRefused(f"{assignment.label} is not published yet, so there is nothing to run.")
    stored = receive_files(assignment=assignment, files=files)
    with transaction.atomic():
        earlier = GradingJob.objects.active().filter(
            practice_run__assignment=assignment, practice_run__enrollment=enrollment
        )
        earlier.update(cancelled_at=received_at)
        run = record_practice_run(assignment=assignment, enrollment=enrollment, files=stored, received_at=received_at)
        return _create_job(practice_run=run, suite=Suite.PUBLIC, at=received_at)


@transaction.atomic
def request_grading(*, submission: Submission, at: datetime | None = None) -> GradingJob:
    """Ask for all checks on a submission. A submission has one active job at most."""
    return _create_job(submission=submission, suite=Suite.FULL, at=at or clock.now())


def regrade(*, submission: Submission, by: User) -> GradingJob:
    """Run the checks again, on staff's word; raises `GradingRefused` while a run is under way."""
    try:
        with transaction.atomic():
            job = request_grading(submission=submission)
            record(
                actor=by,
                action="regraded",
                subject=submission,
                offering_id=submission.assignment.offering_id,
                after=f"job {job.pk}",
            )
    except IntegrityError as error:
        raise GradingRefused("The checks are running for this submission already.") from error
    return job


@transaction.atomic
def cancel(*, job: GradingJob, by: User) -> bool:
    """Stop a job that waits or runs; False when it had ended. A running one stops within some seconds."""
    stopped = GradingJob.objects.active().filter(pk=job.pk).update(cancelled_at=clock.now())
    if not stopped:
        return False
    job.refresh_from_db()
    owner = job.owner
    record(
        actor=by,
        action="stopped",
        subject=job,
        offering_id=owner.enrollment.offering_id,
        before=f"{owner}",
        after="stopped",
    )
    transaction.on_commit(lambda: progress.announce(job))
    return True


def dispatch(job: GradingJob) -> bool:
    """Nudge a worker with the job's id; False when the broker is away. The sweeper sends lost messages again."""
    from grading.tasks import grade_job  # noqa: PLC0415 - tasks call the runner, which ends in these services

    if not settings.REDIS_URL:
        return False
    queue = GRADING if job.submission_id is not None else INTERACTIVE
    try:
        grade_job.apply_async((job.pk,), queue=queue)
    except (CeleryError, KombuError, Unavailable, OSError) as error:
        log.warning("job_not_dispatched", job=job.pk, error=str(error))
        return False
    GradingJob.objects.filter(pk=job.pk).update(queued_at=clock.now(), dispatch_count=job.dispatch_count + 1)
    return True


def _create_job(
    *, suite: Suite, at: datetime, submission: Submission | None = None, practice_run: PracticeRun | None = None
) -> GradingJob:
    job = GradingJob.objects.create(
        submission=submission, practice_run=practice_run, suite=suite, seed=secrets.randbits(48), requested_at=at
    )
    transaction.on_commit(lambda: dispatch(job))
    return job


def _by_token(enrollment: Enrollment, client_token: str | None) -> Submission | None:
    return enrollment.submissions.filter(client_token=client_token).first() if client_token else None


def _check_attempts(assignment: Assignment, enrollment: Enrollment, *, besides: int = 0) -> None:
    """Refuse an attempt above the limit; `besides` is how many of the counted ones are this very one."""
    limit = assignment.max_attempts
    if limit is not None and attempts_used(assignment, enrollment) - besides >= limit:
        raise SubmissionRefused(f"You have used all {limit} attempts at {assignment.label}, so this was not accepted.")


def _check_not_flooding(enrollment: Enrollment) -> None:
    waiting = GradingJob.objects.active().filter(submission__enrollment=enrollment).count()
    if waiting >= settings.GRADING_MAX_WAITING:
        raise SubmissionRefused(
            f"{waiting} of your submissions are still being graded. Wait until one has ended, or stop one, and submit again."
        )
