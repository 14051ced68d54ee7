"""What a student reads of a job that did not end with a score: whose doing it is, what is safe, what counts, who acts."""

from __future__ import annotations

from django.utils import timezone
from django.utils.formats import date_format

from grader.contract import GradeReport, Outcome
from grading.models import GradingJob, Status


def label_of(job: GradingJob) -> str:
    """The status in a word; there is nothing that staff could do for a practice run."""
    return "Grader failed" if job.status == Status.NEEDS_STAFF and job.submission is None else job.status.label


def message_of(job: GradingJob, report: GradeReport | None) -> str:
    """What the student reads beside the status; empty where the status says it all."""
    if job.status == Status.NEEDS_STAFF:
        return _our_fault(job)
    if job.status == Status.CANCELLED:
        return _stopped(job)
    if report is not None and report.outcome == Outcome.REFUSED:
        return report.message
    return ""


def _our_fault(job: GradingJob) -> str:
    """What a student reads when our grader could not do it: whose fault it is, what is safe, who acts."""
    if job.submission is None:
        return f"Our grader failed (reference {job.pk}). The fault is ours, not your code's. Run the checks again in some minutes."
    if job.rerun:
        return f"Our grader failed (reference {job.pk}) when course staff ran this again. The fault is ours; what stood before stands."
    zone = job.submission.enrollment.offering.zone
    moment = date_format(timezone.localtime(job.submission.created_at, zone), "D j M Y, H:i:s")
    return (
        f"Our grader failed (reference {job.pk}). The fault is ours, and this does not count as an attempt. Your submission is "
        f"safe, with its time: {moment}. Course staff see it and will send it again; there is nothing that you need to do."
    )


def _stopped(job: GradingJob) -> str:
    if job.submission is None:
        return "This run was stopped. Nothing of it counts."
    if job.rerun:
        return "The run that course staff asked for was stopped. What stood before stands."
    if job.superseded_by is not None:
        return (
            f"You set this attempt aside for attempt {job.superseded_by.number}. It is stored with its time and does not count "
            "as an attempt; course staff can still grade it."
        )
    if job.started_at is None:
        return "This was stopped before it ran, so it does not count as an attempt. It is stored; course staff can still grade it."
    return "This run was stopped. It has no score, and counts as an attempt. It is stored; course staff can still grade it."
