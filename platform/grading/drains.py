"""Draining: a drained worker finishes what it runs and claims nothing more. The rows decide, so it holds while Redis is away."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Offering
from grading.fleet import Drain, DrainKind, Worker


def drain(*, worker: Worker | None, by: User, offering: Offering) -> bool:
    """Keep this worker from new jobs, or all workers, those that start later too; False when staff had done so before."""
    try:
        with transaction.atomic():
            held = Drain.objects.create(worker=worker, kind=DrainKind.STAFF, opened_at=clock.now(), opened_by=by)
            record(
                actor=by, action="drained", subject=held, offering_id=offering.pk, after=f"{worker or 'all workers'}"
            )
    except IntegrityError:
        return False
    return True


@transaction.atomic
def resume(*, worker: Worker | None, by: User, offering: Offering) -> bool:
    """End staff's drain of this worker, or of all; False when there was none. What a canary holds stays held."""
    held = Drain.objects.open().filter(worker=worker, kind=DrainKind.STAFF).first()
    if held is None:
        return False
    Drain.objects.filter(pk=held.pk).update(ended_at=clock.now(), ended_by=by)
    record(actor=by, action="resumed", subject=held, offering_id=offering.pk, after=f"{worker or 'all workers'}")
    return True
