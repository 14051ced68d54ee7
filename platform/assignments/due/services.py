"""Granting and revoking what moves due dates. Each act is whole, for all named students or for none, with a line in the trail for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from accounts.models import User
from assignments.due.models import Accommodation, Extension
from assignments.due.rules import DueDate, ExtraTime, in_full
from assignments.due.selectors import Grants, decided_for_all, grants_of
from assignments.models import Assignment
from audit.services import record
from config import clock
from courses.models import Enrollment, Offering

REASON_MIN = 3


class GrantRefused(Exception):  # noqa: N818 - an answer to staff, not a fault
    """What cannot be granted or revoked; the text says why. Nothing was changed."""


@transaction.atomic
def grant_extension(
    *, assignment: Assignment, enrollment: Enrollment, due_at: datetime, reason: str, by: User
) -> Extension:
    """Move one student's due date. Granting again replaces the earlier extension."""
    return grant_extensions(assignment=assignment, enrollments=[enrollment], due_at=due_at, reason=reason, by=by)[0]


@transaction.atomic
def grant_extensions(
    *, assignment: Assignment, enrollments: Sequence[Enrollment], due_at: datetime, reason: str, by: User
) -> list[Extension]:
    """Move the due date of each of these students to `due_at`.

    Raises `GrantRefused` where that would not give every one of them more time than they have. The same again changes nothing.
    """
    _check_reason(reason)
    students = _locked(enrollments)
    stored = {
        extension.enrollment_id: extension
        for extension in Extension.objects.standing().filter(assignment=assignment, enrollment__in=students)
    }
    repeated = [pk for pk, extension in stored.items() if extension.due_at == due_at]
    fresh = [student for student in students if student.pk not in repeated]
    standing = decided_for_all(assignment, [student.pk for student in fresh])
    _check_later(assignment, fresh, standing, due_at)
    made = []
    for student in fresh:
        extension = stored.get(student.pk) or Extension(assignment=assignment, enrollment=student)
        extension.due_at, extension.reason = due_at, reason.strip()
        extension.granted_by, extension.granted_at = by, clock.now()
        extension.save()
        before = f"{student.user.name}, {assignment}: {standing[student.pk].sentence}"
        _record(extension, by, "granted an extension", before=before, after=_line(extension), reason=extension.reason)
        made.append(extension)
    return [*(stored[pk] for pk in repeated), *made]


@transaction.atomic
def grant_accommodations(
    *, enrollments: Sequence[Enrollment], time: ExtraTime, reason: str, by: User
) -> list[Accommodation]:
    """Give each of these students standing extra time, on all due dates that it covers.

    Raises `GrantRefused` where a student has at least as much already.
    """
    _check_reason(reason)
    students = _locked(enrollments)
    grants = grants_of([student.pk for student in students])
    _check_more(students, grants, time)
    return [_accommodate(student, time, reason.strip(), by) for student in students]


@transaction.atomic
def revoke(*, grant: Extension | Accommodation, reason: str, by: User) -> bool:
    """Take it back, so that the student's dates are decided without it; False when it was revoked before.

    Work that was handed in meanwhile stays accepted.
    """
    if len(reason.strip()) < REASON_MIN:
        raise GrantRefused("Please give a reason; the student reads it. Nothing was revoked.")
    _locked([grant.enrollment])
    fresh = type(grant).objects.standing().filter(pk=grant.pk).first()
    if fresh is None:
        return False
    fresh.revoked_at, fresh.revoked_by, fresh.revoke_reason = clock.now(), by, reason.strip()
    fresh.save(update_fields=["revoked_at", "revoked_by", "revoke_reason"])
    _record(fresh, by, f"revoked an {_name(fresh)}", before=_line(fresh), reason=reason.strip())
    return True


@transaction.atomic
def let_tas_extend(*, offering: Offering, allowed: bool, by: User) -> None:
    """Whether TAs, too, may grant and revoke extensions."""
    words = {True: "instructors and TAs", False: "instructors"}
    before = offering.tas_extend
    offering.tas_extend = allowed
    offering.save(update_fields=["tas_extend"])
    if before != allowed:
        record(
            actor=by,
            action="set who grants extensions",
            subject=offering,
            offering_id=offering.pk,
            before=words[before],
            after=words[allowed],
        )


def _check_reason(reason: str) -> None:
    if len(reason.strip()) < REASON_MIN:
        raise GrantRefused("Please give a reason; staff read it, the student does not. Nothing was granted.")


def _check_later(
    assignment: Assignment, students: Sequence[Enrollment], standing: Mapping[int, DueDate], due_at: datetime
) -> None:
    zone, now = assignment.offering.zone, clock.now()
    if students and due_at <= now:
        raise GrantRefused(
            f"{in_full(due_at, zone)} has passed already, so it would give nobody time. Choose a later one."
        )
    earlier = [student for student in students if due_at <= standing[student.pk].due_at]
    if earlier:
        told = "; ".join(f"{student.user.name}: {standing[student.pk].sentence}" for student in earlier)
        raise GrantRefused(
            f"{in_full(due_at, zone)} is not later than what stands. {told}. Nothing was granted: an extension gives time and takes none."
        )


def _check_more(students: Sequence[Enrollment], grants: Mapping[int, Grants], time: ExtraTime) -> None:
    for student in students:
        more = next((has for has in grants[student.pk].extra if has.includes(time)), None)
        if more is not None:
            raise GrantRefused(
                f"{student.user.name} has {more} of standing extra time already, so {time} would change nothing. "
                "Nothing was granted. To give less, revoke what stands first."
            )


def _locked(enrollments: Sequence[Enrollment]) -> list[Enrollment]:
    """The same students, once each; acts on one student's dates follow one another."""
    pks = {enrollment.pk for enrollment in enrollments}
    locked = Enrollment.objects.select_for_update(of=("self",)).select_related("user", "offering")
    return list(locked.filter(pk__in=pks).order_by("user__sort_name", "pk"))


def _accommodate(student: Enrollment, time: ExtraTime, reason: str, by: User) -> Accommodation:
    made = Accommodation.objects.create(
        enrollment=student,
        amount=time.amount,
        unit=time.unit.value,
        kinds=sorted(time.kinds),
        first_on=time.first_on,
        last_on=time.last_on,
        reason=reason,
        granted_by=by,
        granted_at=clock.now(),
    )
    _record(made, by, "granted an accommodation", after=_line(made), reason=reason)
    return made


def _name(grant: Extension | Accommodation) -> str:
    return "extension" if isinstance(grant, Extension) else "accommodation"


def _line(grant: Extension | Accommodation) -> str:
    """Whose it is and what it gives, as the trail keeps it."""
    name, zone = grant.enrollment.user.name, grant.enrollment.offering.zone
    if isinstance(grant, Extension):
        return f"{name}, {grant.assignment}: due {in_full(grant.due_at, zone)}"
    return f"{name}: {grant.in_words}"


def _record(
    grant: Extension | Accommodation, by: User, action: str, *, before: str = "", after: str = "", reason: str
) -> None:
    offering_id = grant.enrollment.offering_id
    record(
        actor=by,
        action=action,
        subject=grant,
        offering_id=offering_id,
        before=before,
        after=after,
        reason=reason,
    )
