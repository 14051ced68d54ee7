"""The three acts: release, undo, retract. Each is one transaction with its line in the audit trail.

Every act first takes the assignment's row, so that two people (or two clicks) act one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from reviews.models import RubricScore
from reviews.releases.models import News, Release, ReleaseItem, ReleaseMail
from reviews.releases.plan import Plan, PlanRow, plan_of
from submissions.models import Submission
from submissions.shared import people_of

REASON_MIN = 3


class ReleaseRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """A release that cannot be made, undone or taken back now; the text says why. Nothing has changed."""


@transaction.atomic
def release(*, assignment: Assignment, by: User, partial: bool = False, with_flagged: bool = True) -> Release:
    """Show every score that is ready and not shown yet.

    Raises `ReleaseRefused` when there is none, and, unless `partial`, when work of the class is not graded or is left out.
    """
    fresh = _locked(assignment.pk)
    plan = plan_of(fresh)
    chosen = plan.chosen(with_flagged=with_flagged)
    _check(plan, chosen, partial=partial)
    now = clock.now()
    made = Release.objects.create(
        assignment=fresh,
        released_at=now,
        released_by=by,
        final_at=now + timedelta(seconds=settings.RELEASE_UNDO_S),
        opened=_open(fresh, now),
    )
    _show(made, chosen)
    left = _left(plan, chosen)
    _record(made, by, "released", after=_summary(len(chosen), left))
    return made


@transaction.atomic
def undo(*, release: Release, by: User) -> bool:
    """Take everything back as if it had not been; False when somebody did before. Nobody is told.

    Raises `ReleaseRefused` once students are told of it.
    """
    fresh = _fresh(release)
    if fresh.undone_at is not None:
        return False
    if not fresh.can_be_undone(clock.now()):
        raise ReleaseRefused(
            "Students have been told of this release, so it can no longer be undone. You can take it back with a reason."
        )
    fresh.undone_at, fresh.undone_by = clock.now(), by
    fresh.save(update_fields=["undone_at", "undone_by"])
    fresh.mails.update(mail_at=None)
    _hide(fresh)
    _record(fresh, by, "undid a release", before=_summary(fresh.items.count(), 0))
    return True


@transaction.atomic
def retract(*, release: Release, reason: str, by: User) -> bool:
    """Hide the scores again and tell their students why; False when somebody did before."""
    fresh = _fresh(release)
    if fresh.retracted_at is not None:
        return False
    _check_retract(fresh, reason)
    now = clock.now()
    fresh.retracted_at, fresh.retracted_by, fresh.retract_reason = now, by, reason.strip()
    fresh.save(update_fields=["retracted_at", "retracted_by", "retract_reason"])
    fresh.mails.filter(mailed_at=None).update(mail_at=None)  # what is no longer true is not told
    shown = people_of(Submission.objects.filter(release_items__release=fresh))
    _post(fresh, {person for people in shown.values() for person in people}, News.RETRACTED, now)
    _hide(fresh)
    _record(fresh, by, "took a release back", before=_summary(fresh.items.count(), 0), reason=fresh.retract_reason)
    return True


def _check(plan: Plan, chosen: list[PlanRow], *, partial: bool) -> None:
    if not chosen:
        raise ReleaseRefused("There is no score to release: nothing is graded that students do not see already.")
    left = _left(plan, chosen)
    if left and not partial:
        raise ReleaseRefused(
            f"{left} of {plan.works('ready', 'flagged', 'ungraded')} submissions are not graded or are left out, so nothing was released. "
            "Tick that the others follow later, and release again."
        )


def _left(plan: Plan, chosen: list[PlanRow]) -> int:
    """How many submissions are not graded or are left out; a team's is one."""
    return plan.works("ready", "flagged", "ungraded") - len(_submissions(chosen))


def _submissions(rows: list[PlanRow]) -> dict[int, Submission]:
    """What these students handed in, by id: a team's work once."""
    return {row.submission.pk: row.submission for row in rows if row.submission is not None}


def _check_retract(release: Release, reason: str) -> None:
    if release.undone_at is not None:
        raise ReleaseRefused("This release was undone, so there is nothing to take back.")
    if release.can_be_undone(clock.now()):
        raise ReleaseRefused("Nobody has been told of this release yet. Undo it; that takes no reason.")
    if len(reason.strip()) < REASON_MIN:
        raise ReleaseRefused("Please give a reason; students read it in place of their score.")


def _open(assignment: Assignment, now: datetime) -> bool:
    """Mark the assignment itself as released, which of a lab shows what hidden checks found; False when it is already."""
    if assignment.is_released(now):
        return False
    assignment.released_at = now
    assignment.save(update_fields=["released_at"])
    return True


def _show(release: Release, rows: list[PlanRow]) -> None:
    shown = _submissions(rows)
    ReleaseItem.objects.bulk_create(ReleaseItem(release=release, submission_id=pk) for pk in shown)
    _post(release, [row.enrollment.pk for row in rows], News.RELEASED, release.final_at)
    students = [row.enrollment.pk for row in rows]
    waiting = RubricScore.objects.filter(
        submission__assignment=release.assignment, submission__enrollment__in=students, released_at=None
    )
    waiting.update(released_at=release.released_at)


def _hide(release: Release) -> None:
    """The other way round; what was released by another act meanwhile stays. The moment says which act it was."""
    assignment = release.assignment
    shown = RubricScore.objects.filter(submission__assignment=assignment, released_at=release.released_at)
    shown.update(released_at=None)
    ours = assignment.releases.filter(opened=True).exists()
    if ours and not assignment.releases.standing().exists():
        assignment.released_at = None
        assignment.save(update_fields=["released_at"])


def _post(release: Release, people: Iterable[int], news: News, at: datetime) -> None:
    ReleaseMail.objects.bulk_create(
        ReleaseMail(release=release, enrollment_id=person, news=news, mail_at=at) for person in people
    )


def _locked(pk: int) -> Assignment:
    return Assignment.objects.select_for_update(of=("self",)).select_related("offering", "lab").get(pk=pk)


def _fresh(release: Release) -> Release:
    assignment = _locked(release.assignment_id)
    fresh = Release.objects.get(pk=release.pk)
    fresh.assignment = assignment
    return fresh


def _summary(shown: int, left: int) -> str:
    return f"{shown} scores" + (f", {left} follow later" if left else "")


def _record(release: Release, by: User, action: str, *, before: str = "", after: str = "", reason: str = "") -> None:
    record(
        actor=by,
        action=action,
        subject=release,
        offering_id=release.assignment.offering_id,
        before=before,
        after=after,
        reason=reason,
    )
