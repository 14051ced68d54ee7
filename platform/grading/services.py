"""Handing in, running the checks, regrading and stopping: each makes or ends a job together with its cause."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial

from django.db import IntegrityError, transaction

from accounts.models import User
from assignments.models import Assignment, Lab
from audit.services import record
from config import clock
from courses.models import Enrollment
from grader.contract import Suite
from grading import progress
from grading.limits import check_limits, check_not_flooding
from grading.messages import dispatch, dispatch_next
from grading.models import GradingJob, Lane, Status
from grading.selectors import JobsOfSubmission, jobs_of, waiting_submissions
from submissions.models import PracticeRun, Submission
from submissions.services import (
    IncomingFile,
    SubmissionRefused,
    check_may_submit,
    click_of,
    receive_files,
    record_practice_run,
    record_submission,
    sent_in,
    submission_of_click,
)


class GradingRefused(Exception):  # noqa: N818 - an answer to staff, not a fault
    """A run that cannot be started now; the text says why."""


def hand_in(
    *,
    assignment: Assignment,
    enrollment: Enrollment,
    files: Sequence[IncomingFile],
    source: str,
    client_token: str | None = None,
    supersede: bool = False,
    received_at: datetime | None = None,
) -> Submission:
    """Accept a student's work and ask for its grading; raises `SubmissionRefused`, and then nothing is stored.

    Lateness is decided by `received_at`, when the work arrived; without it, by the moment of the call. The same files with the same
    `client_token` again return the submission they made before. With `supersede`, earlier submissions that still wait are set aside:
    stored, not graded, and no attempt.
    """
    received_at = received_at or clock.now()
    click = click_of(client_token, *sent_in(files))
    if (earlier := submission_of_click(enrollment, click)) is not None:
        return earlier
    check_may_submit(assignment=assignment, enrollment=enrollment, received_at=received_at)
    replaced = waiting_submissions(assignment, enrollment) if supersede else {}
    check_limits(assignment=assignment, enrollment=enrollment, at=received_at, without=replaced)
    check_not_flooding(enrollment, without=replaced)
    recorded = partial(
        record_submission,
        assignment=assignment,
        enrollment=enrollment,
        files=receive_files(assignment=assignment, files=files),
        source=source,
        client_token=click,
        received_at=received_at,
    )
    try:
        return _accept(recorded, replaced)
    except IntegrityError:
        # the second of two clicks that arrived together: the first one's submission stands
        if (earlier := submission_of_click(enrollment, click)) is None:
            raise
        return earlier


@transaction.atomic
def _accept(recorded: Callable[..., Submission], replaced: Collection[int]) -> Submission:
    """All rows at once. The limits are asked again, now that no other submission of this student can come between."""
    ahead = GradingJob.objects.counting().waiting().filter(practice_run=None, rerun=False).count()
    submission = recorded(waiting_ahead=ahead)
    assignment, enrollment, at = submission.assignment, submission.enrollment, submission.created_at
    if replaced:
        _set_aside(replaced, submission, at=at)
    check_limits(assignment=assignment, enrollment=enrollment, at=at, without={submission.pk})
    check_not_flooding(enrollment)
    request_grading(submission=submission, at=at)
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
        return _create_job(run, Suite.PUBLIC, lab=assignment.lab, at=received_at)


@transaction.atomic
def request_grading(
    *,
    submission: Submission,
    lab: Lab | None = None,
    at: datetime | None = None,
    in_line_at: datetime | None = None,
    rerun: bool = False,
) -> GradingJob:
    """Ask for all checks on a submission, by `lab` or the version that its lab has now. One such job is active at most."""
    lab = lab or submission.assignment.lab
    assert lab is not None  # nothing is handed in to a lab that is not published
    return _create_job(submission, Suite.FULL, lab=lab, at=at or clock.now(), in_line_at=in_line_at, rerun=rerun)


@transaction.atomic
def request_trials(*, submissions: Sequence[Submission], lab: Lab, same_inputs: bool = True) -> list[GradingJob]:
    """Ask for all checks of one version on many submissions, in the given order, without touching anybody's score.

    Each run repeats the seed of the report that counts, so that what differs comes from the version and not from the draw; without
    `same_inputs` each draws anew.
    """
    now, known = clock.now(), jobs_of([submission.pk for submission in submissions] if same_inputs else [])
    seeds = {pk: jobs.graded.job.seed for pk, jobs in known.items() if jobs.graded}
    jobs = [
        GradingJob(
            submission=submission,
            student_id=submission.enrollment_id,
            lane=lane_of(submission, lab),
            lab=lab,
            rerun=True,
            counts=False,
            suite=Suite.FULL,
            seed=seeds.get(submission.pk, secrets.randbits(48)),
            requested_at=now,
            in_line_at=now,
        )
        for submission in submissions
    ]
    made = GradingJob.objects.bulk_create(jobs)
    transaction.on_commit(lambda: _dispatch_all(made))
    return made


def stop_trials(*, job_ids: Collection[int]) -> int:
    """Stop those that wait or run, and count them; a worker that has begun hears of it within some seconds."""
    return GradingJob.objects.active().filter(pk__in=job_ids, counts=False).update(cancelled_at=clock.now())


def regrade(*, submission: Submission, by: User) -> GradingJob:
    """Run the checks again, on staff's word; raises `GradingRefused` while a run is under way.

    It comes last in its lane, but for work that our fault kept from being graded: that takes the place of its hand-in.
    """
    jobs = jobs_of([submission.pk]).get(submission.pk, JobsOfSubmission())
    owed = jobs.graded is None and jobs.latest is not None and jobs.latest.status == Status.NEEDS_STAFF
    in_line_at = submission.created_at if owed else None
    try:
        with transaction.atomic():
            job = request_grading(submission=submission, in_line_at=in_line_at, rerun=not owed)
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
    transaction.on_commit(lambda: dispatch_next(job))
    return True


def _set_aside(replaced: Collection[int], submission: Submission, *, at: datetime) -> None:
    """End the waiting jobs of these submissions in favour of a later one; a job that began meanwhile runs on."""
    jobs = GradingJob.objects.waiting().filter(submission_id__in=replaced)
    for job in jobs.select_related("submission__enrollment__offering").select_for_update(of=("self",)):
        job.cancelled_at, job.superseded_by = at, submission
        job.save(update_fields=["cancelled_at", "superseded_by"])
        record(
            actor=submission.enrollment.user,
            action="set aside",
            subject=job,
            offering_id=submission.assignment.offering_id,
            before=f"{job.submission}",
            after=f"for {submission}",
        )
        transaction.on_commit(lambda job=job: progress.announce(job))  # type: ignore[misc]


def _dispatch_all(jobs: Sequence[GradingJob]) -> None:
    """Up to the first refusal: a broker that is away is asked once, and the sweeper sends the rest."""
    for job in jobs:
        if not dispatch(job):
            break


def lane_of(owner: Submission | PracticeRun, lab: Lab) -> Lane:
    """Where its jobs wait."""
    if lab.on_gpu:
        return Lane.GPU
    return Lane.GRADING if isinstance(owner, Submission) else Lane.INTERACTIVE


def _create_job(
    owner: Submission | PracticeRun,
    suite: Suite,
    *,
    lab: Lab,
    at: datetime,
    in_line_at: datetime | None = None,
    rerun: bool = False,
) -> GradingJob:
    job = GradingJob.objects.create(
        submission=owner if isinstance(owner, Submission) else None,
        practice_run=owner if isinstance(owner, PracticeRun) else None,
        student=owner.enrollment,
        lane=lane_of(owner, lab),
        lab=lab,
        rerun=rerun,
        suite=suite,
        seed=secrets.randbits(48),
        requested_at=at,
        in_line_at=in_line_at or at,
    )
    transaction.on_commit(lambda: dispatch(job))
    return job
