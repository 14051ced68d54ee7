"""Which offering a course of a platform is: an instructor of both says so."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Offering, Role
from lti.launches.services import LaunchRefused
from lti.models import Context


def instructed_by(user: User) -> Sequence[Offering]:
    """The offerings whose instructor the person is."""
    mine = Offering.objects.filter(
        enrollments__user=user, enrollments__role=Role.INSTRUCTOR, enrollments__dropped_at=None
    )
    return list(mine.select_related("course"))


@transaction.atomic
def link_context(*, context: Context, offering: Offering, admits: bool, by: User) -> None:
    """Link the course. Raises `LaunchRefused` where it was linked meanwhile."""
    linked = Context.objects.filter(pk=context.pk, offering=None).update(
        offering=offering, admits=admits, linked_by=by, linked_at=clock.now()
    )
    if not linked:
        raise LaunchRefused("Another instructor linked this course meanwhile. Open Gradlab from it again.")
    _record(context, offering, by, "linked a course", _line(context, admits=admits))


@transaction.atomic
def set_admits(*, context: Context, admits: bool, by: User) -> None:
    """Say whether newcomers are added; the same again changes nothing."""
    offering, changed = context.offering, Context.objects.filter(pk=context.pk).exclude(admits=admits)
    if offering and changed.update(admits=admits):
        _record(context, offering, by, "set who is added", _line(context, admits=admits))


@transaction.atomic
def unlink_context(*, context: Context, by: User) -> None:
    """Take the link off. Nothing that was sent is taken back, what waits is not sent, and nobody leaves the class."""
    offering = context.offering
    if offering and Context.objects.filter(pk=context.pk, offering=offering).update(offering=None, admits=False):
        context.members.all().delete()
        context.lines.all().delete()
        _record(context, offering, by, "unlinked a course", "")


def _line(context: Context, *, admits: bool) -> str:
    return f"{context} at {context.deployment.platform}" + ("; newcomers are added as students" if admits else "")


def _record(context: Context, offering: Offering, by: User, action: str, after: str) -> None:
    record(actor=by, action=action, subject=context, offering_id=offering.pk, after=after)
