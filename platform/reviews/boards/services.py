"""Joining and leaving the boards of a lab, and taking a name off them."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from courses.models import Enrollment
from grading.services import stop_trials
from reviews.boards.models import BoardMember


class BoardRefused(Exception):  # noqa: N818 - an answer to a person, not a fault
    """Why this cannot be done now, in a sentence."""


def join(*, assignment: Assignment, enrollment: Enrollment, name: str) -> BoardMember:
    """Be on the lab's boards under this name, or take another one; raises `BoardRefused` for a name that is taken.

    A name that staff took off stays off until they put it back, whatever it is changed to.
    """
    if enrollment.is_staff:
        raise BoardRefused("Boards are for students. You see all of them, with the people behind the names.")
    _refuse_borrowed(name, enrollment)
    try:
        with transaction.atomic():
            member, made = BoardMember.objects.get_or_create(
                assignment=assignment, enrollment=enrollment, defaults={"name": name, "joined_at": clock.now()}
            )
            if not made:
                member.name = name
                member.save(update_fields=["name"])
    except IntegrityError as error:
        raise BoardRefused(f"Somebody is on these boards as “{name}” already. Choose another name.") from error
    return member


@transaction.atomic
def leave(*, assignment: Assignment, enrollment: Enrollment) -> bool:
    """Be on no board of the lab: the name and everything proved under it are deleted, and runs that still wait are stopped."""
    member = BoardMember.objects.filter(assignment=assignment, enrollment=enrollment).first()
    if member is None:
        return False
    waiting = member.proofs.filter(settled_at=None, job__isnull=False)
    stop_trials(job_ids=list(waiting.values_list("job_id", flat=True)))
    member.delete()
    return True


@transaction.atomic
def hide(*, member: BoardMember, reason: str, by: User) -> bool:
    """Take a name off the boards; its student keeps their place for themselves and reads the reason. False when it was off already."""
    fresh = BoardMember.objects.select_for_update(of=("self",)).select_related("assignment").get(pk=member.pk)
    if fresh.hidden_at is not None:
        return False
    fresh.hidden_at, fresh.hidden_by, fresh.hidden_reason = clock.now(), by, reason
    fresh.save(update_fields=["hidden_at", "hidden_by", "hidden_reason"])
    _record(fresh, by, "took a name off a board", reason=reason)
    return True


@transaction.atomic
def show(*, member: BoardMember, by: User) -> bool:
    """Put a name back; False when it was there."""
    fresh = BoardMember.objects.select_for_update(of=("self",)).select_related("assignment").get(pk=member.pk)
    if fresh.hidden_at is None:
        return False
    fresh.hidden_at, fresh.hidden_by, fresh.hidden_reason = None, None, ""
    fresh.save(update_fields=["hidden_at", "hidden_by", "hidden_reason"])
    _record(fresh, by, "put a name back on a board")
    return True


def _refuse_borrowed(name: str, enrollment: Enrollment) -> None:
    """Nobody plays under the name of somebody else in the class."""
    others = Enrollment.objects.filter(offering=enrollment.offering_id, user__name__iexact=name).exclude(
        pk=enrollment.pk
    )
    if others.exists():
        raise BoardRefused("That is the name of somebody in this course. Choose one that is nobody's.")


def _record(member: BoardMember, by: User, action: str, *, reason: str = "") -> None:
    record(
        actor=by,
        action=action,
        subject=member.assignment,
        offering_id=member.assignment.offering_id,
        after=member.name,
        reason=reason,
    )
