"""What may be asked and answered now, and why not."""

from __future__ import annotations

from datetime import datetime, time

from assignments.due.rules import days_after, in_full
from config import clock
from courses.models import Enrollment
from reviews.requests.models import RegradeRequest
from reviews.requests.scores import by_hand, has_score, shown_since
from submissions.models import Submission
from submissions.shared import is_of

LEAST_CHARS, LEAST_WORDS = 20, 4


class RequestRefused(Exception):  # noqa: N818 - an answer to the person, not a fault
    """What cannot be asked or answered now; the text says why, and what to do. Nothing was stored."""


def last_moment(submission: Submission) -> datetime | None:
    """The last second in which a request is taken: the end of the window's last day. None: not released, or none are taken."""
    offering, since = submission.assignment.offering, shown_since(submission)
    if since is None or offering.regrade_window_days == 0:
        return None
    day = days_after(since, offering.regrade_window_days, offering.zone).astimezone(offering.zone)
    return datetime.combine(day.date(), time(23, 59, 59), tzinfo=offering.zone)


def why_not_ask(submission: Submission, by: Enrollment) -> str:
    """Why this student cannot ask for another look at the score of their work now, in a sentence or two; empty when they can.

    Five queries at most.
    """
    assignment, now = submission.assignment, clock.now()
    if assignment.offering.regrade_window_days == 0:
        return "This course takes no regrade requests here. Speak with your instructor."
    until = last_moment(submission)
    if until is None:
        return f"Your score for {assignment.label} is not released yet, so there is nothing to ask about. Come back when it is."
    if RegradeRequest.objects.open().filter(submission=submission).exists():
        return (
            "A request of your team about this score is open. Wait for its answer; who asked may withdraw it, to ask anew."
            if submission.is_shared
            else "Your request about this score is open. Wait for its answer, or withdraw it to ask anew."
        )
    if now.replace(microsecond=0) > until:
        return (
            f"Requests about this score were taken until {in_full(until, assignment.offering.zone)}. That has passed."
        )
    return _why_no_score(submission, by)


def _why_no_score(submission: Submission, by: Enrollment) -> str:
    later = Submission.objects.filter(is_of([by.pk]), assignment=submission.assignment, number__gt=submission.number)
    if by_hand(submission.assignment) and later.exists():
        return "A later submission of yours counts, and not this one. Ask about that one's score."
    return "" if has_score(submission) else "This submission has no score yet, so there is nothing to ask about."


def why_not_answer(request: RegradeRequest, viewer: Enrollment) -> str:
    """Why this member of staff cannot answer the request, in a sentence; empty when they can. One query at most."""
    if not request.is_open:
        who = request.answered_by.name if request.answered_by else "course staff"
        return "The student withdrew this request." if request.withdrawn_at else f"This request was answered by {who}."
    if viewer.is_instructor or request.grader_before_id != viewer.user_id:
        return ""
    others = Enrollment.objects.staff().filter(offering=viewer.offering).exclude(user=viewer.user)
    return "You graded this one, so another grader answers; an instructor may take any." if others.exists() else ""


def check(why_not: str) -> None:
    """Raise `RequestRefused` with that sentence unless it is empty."""
    if why_not:
        raise RequestRefused(why_not)


def check_sentence(text: str, *, reader: str) -> None:
    """Raise `RequestRefused` unless the text is a sentence at least."""
    if len(text.strip()) < LEAST_CHARS or len(text.split()) < LEAST_WORDS:
        raise RequestRefused(
            f"Please write a sentence at least, so that {reader} can follow. Nothing was stored, and your text is kept here."
        )


def window_in_words(days: int) -> str:
    """As the trail keeps it."""
    return f"{days} days after the release" if days else "no requests"
