"""Asking, withdrawing, answering: each one act with its line in the trail, on the submission that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from django.db import transaction

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Enrollment, Offering
from reviews.marking.services import GivenMark, ReviewConflict, ReviewRefused, save_review
from reviews.models import RubricItem
from reviews.requests import rules
from reviews.requests.mail import tell_student
from reviews.requests.models import RegradeRequest, RequestStatus
from reviews.requests.rules import RequestRefused
from reviews.requests.scores import ScoreNow, by_hand, score_now
from reviews.services import OverrideRefused, override, release
from submissions.models import Submission


@dataclass(frozen=True)
class Answer:
    """What a grader decided. `scores` holds each item's points, by id; they count only where `change`.

    `revision` is the one of the review that the grader saw.
    """

    text: str
    change: bool
    scores: Mapping[int, Decimal]
    revision: int = 0


@transaction.atomic
def ask(
    *, submission: Submission, item: RubricItem | None, reason: str, by: Enrollment | None = None
) -> RegradeRequest:
    """Ask for another look at a score, or at one item of it; raises `RequestRefused`.

    `by` is the student or any author of the submission; nobody named is who handed it in.
    """
    student = by or submission.enrollment
    # one at a time, also where two clicks arrive together
    Submission.objects.select_for_update().get(pk=submission.pk)
    rules.check(rules.why_not_ask(submission, student))
    rules.check_sentence(reason, reader="the grader")
    now = score_now(submission, about=item)
    made = RegradeRequest.objects.create(
        submission=submission,
        item=item,
        item_title=item.title if item else "",
        asked_by=student,
        reason=reason.strip(),
        asked_at=clock.now(),
        score_before=now.score if now else None,
        grader_before=now.grader if now else None,
    )
    _record(made, student.user, "asked for another look", after=made.about, reason=made.reason)
    return made


@transaction.atomic
def withdraw(*, request: RegradeRequest, by: User) -> bool:
    """Take the request back, for its student; False when it is not open any more."""
    fresh = _locked(request)
    if not fresh.is_open:
        return False
    fresh.status, fresh.withdrawn_at = RequestStatus.WITHDRAWN, clock.now()
    fresh.save(update_fields=["status", "withdrawn_at"])
    _record(fresh, by, "withdrew a regrade request", before=fresh.about)
    return True


@transaction.atomic
def answer(*, request: RegradeRequest, viewer: Enrollment, given: Answer, site: str) -> RegradeRequest:
    """Keep the score or change it, and say why; raises `RequestRefused`. The student sees score and answer at once, and gets a mail.

    `site` is the address that the mail points at.
    """
    fresh = _locked(request)
    rules.check(rules.why_not_answer(fresh, viewer))
    rules.check_sentence(given.text, reader="the student")
    if (before := score_now(fresh.submission)) is None:
        raise RequestRefused("There is no score at present, so nothing was stored. Answer when it is back.")
    _decide(fresh.submission, before, given, viewer.user)
    after = score_now(fresh.submission)
    fresh.status, fresh.answered_by, fresh.answered_at = RequestStatus.ANSWERED, viewer.user, clock.now()
    fresh.answer, fresh.score_before, fresh.score_after = (
        given.text.strip(),
        before.score,
        after.score if after else None,
    )
    fresh.save()
    _record(
        fresh,
        viewer.user,
        "answered a regrade request",
        before=f"{before.score}",
        after=f"{fresh.score_after}",
        reason=fresh.answer,
    )
    transaction.on_commit(partial(tell_student, fresh.pk, site=site))
    return fresh


@transaction.atomic
def set_window(*, offering: Offering, days: int, by: User) -> None:
    """How many days after a release students may ask; 0: not at all. Open requests stay."""
    before = offering.regrade_window_days
    offering.regrade_window_days = days
    offering.save(update_fields=["regrade_window_days"])
    if before != days:
        record(
            actor=by,
            action="set the window of regrade requests",
            subject=offering,
            offering_id=offering.pk,
            before=rules.window_in_words(before),
            after=rules.window_in_words(days),
        )


def _decide(submission: Submission, now: ScoreNow, given: Answer, by: User) -> None:
    changed = {
        row.item: given.scores[row.item.pk]
        for row in now.items
        if given.scores.get(row.item.pk, row.score) != row.score
    }
    if given.change and not changed:
        raise RequestRefused("No item has other points than before. Change one, or press Keep the score.")
    if changed and not given.change:
        raise RequestRefused("You changed points. Press Change the score to store them, or put them back to keep it.")
    if not given.change:
        return
    try:
        if by_hand(submission.assignment):
            _mark(submission, now, given, by)
        else:
            _override(submission, changed, given, by)
    except ReviewConflict as conflict:
        raise RequestRefused(f"{conflict} Look at the points again; they are the stored ones now.") from conflict
    except (ReviewRefused, OverrideRefused) as refusal:
        raise RequestRefused(str(refusal)) from refusal


def _mark(submission: Submission, now: ScoreNow, given: Answer, by: User) -> None:
    """Save all marks over those that the grader saw; comments stay."""
    review = submission.reviews.counting().get()
    marks = {
        row.item.pk: GivenMark(given.scores[row.item.pk], row.comment)
        for row in now.items
        if row.item.pk in given.scores
    }
    save_review(
        submission=submission,
        by=by,
        marks=marks,
        comment=review.comment,
        staff_note=review.staff_note,
        flagged=review.flagged,
        revision=given.revision,
        reason=given.text.strip(),
    )


def _override(submission: Submission, changed: Mapping[RubricItem, Decimal], given: Answer, by: User) -> None:
    """Set each changed task's score by hand, and show it: the answer itself is the release."""
    for item, score in changed.items():
        override(submission=submission, item=item, score=score, reason=given.text, by=by)
    release(submission=submission, by=by, items=list(changed))


def _locked(request: RegradeRequest) -> RegradeRequest:
    """The request as it is now; acts on one request follow one another."""
    locked = RegradeRequest.objects.select_for_update(of=("self",))
    related = ("submission__assignment__offering", "submission__enrollment__user", "answered_by", "grader_before")
    return locked.select_related(*related).get(pk=request.pk)


def _record(
    request: RegradeRequest, by: User, action: str, *, before: str = "", after: str = "", reason: str = ""
) -> None:
    record(
        actor=by,
        action=action,
        subject=request.submission,
        offering_id=request.submission.assignment.offering_id,
        before=before,
        after=after,
        reason=reason,
    )
