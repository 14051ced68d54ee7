"""Who is in an offering, and as what."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from audit.services import record
from courses.models import Enrollment, Offering, Role


@transaction.atomic
def enroll(*, offering: Offering, user: User, role: Role, by: User | None = None) -> Enrollment:
    """Give someone a place in the offering, or another role in it; someone who dropped is back.

    Without `by` it was done at the machine, and the trail says that the platform did it.
    """
    stored = Enrollment.objects.filter(offering=offering, user=user).first()
    before = _line(stored) if stored else ""
    enrollment, _ = Enrollment.objects.update_or_create(
        offering=offering, user=user, defaults={"role": role, "dropped_at": None}
    )
    if before != (after := _line(enrollment)):
        record(
            actor=by,
            action="set a role" if stored else "enrolled",
            subject=enrollment,
            offering_id=offering.pk,
            before=before,
            after=after,
        )
    return enrollment


def _line(enrollment: Enrollment) -> str:
    return Role(enrollment.role).label + (", dropped" if enrollment.dropped_at else "")
