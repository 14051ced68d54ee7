"""Participation points: given with a reason, withdrawn with a reason, never edited."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from django.db import transaction

from accounts.models import User
from attendance.models import ParticipationPoint
from attendance.records import RecordRefused, checked_reason
from attendance.rule import plain
from audit.services import record
from config import clock
from courses.models import Enrollment, Session

MOST = Decimal(100)
# the same again by the same person within this time is a finger that tapped twice
DOUBLE_TAP = timedelta(seconds=3)


@transaction.atomic
def give_points(*, enrollment: Enrollment, points: Decimal, reason: str, by: User) -> ParticipationPoint:
    """Give points, from now on; they belong to today's session where there is one. Raises `RecordRefused`."""
    reason, now = checked_reason(reason)[:300], clock.now()
    if not 0 < points <= MOST:
        raise RecordRefused("Points are more than 0 and at most 100. Please give another number.")
    locked = Enrollment.objects.select_for_update(of=("self",)).select_related("user", "offering").get(pk=enrollment.pk)
    if (tapped := _tapped_before(locked, points, reason, by, now)) is not None:
        return tapped
    made = ParticipationPoint.objects.create(
        enrollment=locked, session=_todays(locked, now), points=points, reason=reason, given_at=now, given_by=by
    )
    _record(made, by, "gave participation points", after=_line(made), why=reason)
    return made


@transaction.atomic
def withdraw_points(*, point: ParticipationPoint, reason: str, by: User) -> bool:
    """Let them count no more; False when they were withdrawn before. Raises `RecordRefused` without a reason."""
    reason = checked_reason(reason)
    rows = ParticipationPoint.objects.select_for_update(of=("self",)).select_related("enrollment__user")
    standing = rows.filter(pk=point.pk, withdrawn_at=None).first()
    if standing is None:
        return False
    standing.withdrawn_at, standing.withdrawn_by = clock.now(), by
    standing.save(update_fields=["withdrawn_at", "withdrawn_by"])
    _record(standing, by, "withdrew participation points", before=_line(standing), why=reason)
    return True


def _tapped_before(
    student: Enrollment, points: Decimal, reason: str, by: User, now: datetime
) -> ParticipationPoint | None:
    same = student.participation.standing().filter(points=points, reason=reason, given_by=by)
    return same.filter(given_at__gt=now - DOUBLE_TAP).first()


def _todays(student: Enrollment, now: datetime) -> Session | None:
    return student.offering.sessions.filter(date=student.offering.day_of(now)).first()


def _line(point: ParticipationPoint) -> str:
    return f"{point.enrollment.user.name}: {plain(Fraction(point.points))} for “{point.reason}”"


def _record(point: ParticipationPoint, by: User, action: str, *, before: str = "", after: str = "", why: str) -> None:
    record(
        actor=by,
        action=action,
        subject=point,
        offering_id=point.enrollment.offering_id,
        before=before,
        after=after,
        reason=why,
    )
