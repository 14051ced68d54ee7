"""Deciding, and withdrawing a decision. No act on the source (a regrade, new work, another mark) changes what was decided."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from courses.models import Enrollment
from gradebook.models import Component, Decision

REASON_MIN = 3
Target = Assignment | Component


class DecisionRefused(Exception):  # noqa: N818 - an answer to staff, not a fault
    """What cannot be decided; the text says why. Nothing was changed."""


@transaction.atomic
def decide(
    *, student: Enrollment, part: Target, points: tuple[Decimal, Decimal] | None, reason: str, by: User
) -> Decision:
    """Let these points, of so many, stand for the part, whatever its source says; without points it is excused.

    It replaces an earlier decision; the same again changes nothing. Raises `DecisionRefused`.
    """
    if len(reason.strip()) < REASON_MIN:
        raise DecisionRefused("Please give a reason; the student reads it. Nothing was changed.")
    if points is not None and (points[0] < 0 or points[1] <= 0):
        raise DecisionRefused("Please give 0 or more points, of more than 0. Nothing was changed.")
    locked = _locked(student)
    given, most = points or (None, None)
    wanted = {"excused": points is None, "points": given, "max_points": most, "reason": reason.strip()}
    about: dict[str, Target] = {"assignment" if isinstance(part, Assignment) else "component": part}
    standing = Decision.objects.filter(enrollment=locked, withdrawn_at=None, **about).first()
    if standing is not None:
        if all(getattr(standing, name) == value for name, value in wanted.items()):
            return standing
        _end(standing, by)
    made = Decision.objects.create(enrollment=locked, made_by=by, made_at=clock.now(), **about, **wanted)
    action = "excused from a part" if made.excused else "set the points of a part"
    before = in_words(standing) if standing else ""
    _record(made, locked, by, action, before=before, after=in_words(made), reason=made.reason)
    return made


@transaction.atomic
def withdraw(*, decision: Decision, by: User) -> bool:
    """Let it count no more, so that the source does; False when it was withdrawn before."""
    student = _locked(decision.enrollment)
    fresh = Decision.objects.filter(pk=decision.pk, withdrawn_at=None).select_related("assignment", "component").first()
    if fresh is None:
        return False
    _end(fresh, by)
    _record(fresh, student, by, "withdrew a decision", before=in_words(fresh))
    return True


def in_words(decision: Decision) -> str:
    """As the audit log and the pages say it."""
    name = decision.assignment.label if decision.assignment else decision.component.name if decision.component else ""
    if decision.points is None or decision.max_points is None:
        return f"{name}: excused"
    return f"{name}: {decision.points.normalize():f} of {decision.max_points.normalize():f}"


def _locked(student: Enrollment) -> Enrollment:
    """Decisions about one student come one after the other."""
    return Enrollment.objects.select_for_update(of=("self",)).select_related("user").get(pk=student.pk)


def _end(decision: Decision, by: User) -> None:
    decision.withdrawn_at, decision.withdrawn_by = clock.now(), by
    decision.save(update_fields=["withdrawn_at", "withdrawn_by"])


def _record(decision: Decision, student: Enrollment, by: User, action: str, **told: str) -> None:
    record(actor=by, action=action, subject=decision, offering_id=student.offering_id, **told)
