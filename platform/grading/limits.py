"""What stands between a student and one more submission: attempts, the minutes between two of them, a full queue."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from math import ceil

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from assignments.models import Assignment
from courses.models import Enrollment
from grading.models import GradingJob
from grading.selectors import attempts_used, cooldown_until
from submissions.services import SubmissionRefused


def check_limits(
    *, assignment: Assignment, enrollment: Enrollment, at: datetime, without: Collection[int] = ()
) -> None:
    """Raise `SubmissionRefused` for an attempt too many or too early; the submissions `without` do not count."""
    reason = why_not_now(assignment=assignment, enrollment=enrollment, at=at, without=without)
    if reason:
        raise SubmissionRefused(f"{reason} So this was not accepted, and it costs nothing.")


def why_not_now(*, assignment: Assignment, enrollment: Enrollment, at: datetime, without: Collection[int] = ()) -> str:
    """The sentence that says why the student may not hand in `at` this moment; empty when they may."""
    limit = assignment.max_attempts
    if limit is not None and attempts_used(assignment, enrollment, without=without) >= limit:
        used = "your only attempt" if limit == 1 else f"all {limit} attempts"
        return f"You have used {used} at {assignment.label}."
    again_at = cooldown_until(assignment, enrollment, without=without)
    return _too_early(assignment, enrollment, again_at, at) if again_at is not None and at < again_at else ""


def check_not_flooding(enrollment: Enrollment, *, without: Collection[int] = ()) -> None:
    """Raise `SubmissionRefused` while too many of the student's submissions wait or run."""
    active = GradingJob.objects.counting().active().filter(submission__enrollment=enrollment)
    waiting = active.exclude(submission_id__in=without).count()
    if waiting >= settings.GRADING_MAX_WAITING:
        raise SubmissionRefused(
            f"{waiting} of your submissions are still being graded. Wait until one has ended, or stop one, and submit again."
        )


def _too_early(assignment: Assignment, enrollment: Enrollment, again_at: datetime, at: datetime) -> str:
    minutes, left = assignment.cooldown_minutes or 0, ceil((again_at - at).total_seconds() / 60)
    moment = date_format(timezone.localtime(again_at, enrollment.offering.zone), "H:i:s")
    return (
        f"Between two submissions of {assignment.label} lie at least {_minutes(minutes)}: you can submit again in "
        f"{_minutes(left)}, at {moment}. Until then you can run the checks as often as you like."
    )


def _minutes(number: int) -> str:
    return "1 minute" if number == 1 else f"{number} minutes"
