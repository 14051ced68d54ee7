"""The one way to write the trail."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Model

from audit.models import AuditEvent
from config import clock


def record(
    *,
    actor: AbstractBaseUser | None,
    action: str,
    subject: Model,
    offering_id: int | None,
    before: str = "",
    after: str = "",
    reason: str = "",
) -> AuditEvent:
    """Add one event, now. Without an actor the platform itself acted. Call it inside the transaction of the act."""
    return AuditEvent.objects.create(
        at=clock.now(),
        actor_id=actor.pk if actor else None,
        actor_name=str(actor) if actor else "Gradlab",
        action=action,
        subject_type=type(subject).__name__,
        subject_id=subject.pk,
        offering_id=offering_id,
        before=before,
        after=after,
        reason=reason,
    )
