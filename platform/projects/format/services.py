"""Asking for a PDF's format to be looked at. The row is the outbox: a message is a nudge, and the sweeper sends lost ones again."""

from __future__ import annotations

import structlog
from celery.exceptions import CeleryError
from django.conf import settings
from django.db import transaction
from kombu.exceptions import KombuError

from config import clock, redis
from grading.models import Lane
from projects.format.models import FormatCheck
from submissions.models import SubmittedFile

log = structlog.get_logger(__name__)


@transaction.atomic
def request_check(*, file: SubmittedFile) -> FormatCheck:
    """Ask for a check of this PDF, in the transaction that records its submission. Asked twice, it is the same check."""
    check, _ = FormatCheck.objects.get_or_create(file=file, defaults={"requested_at": clock.now()})
    transaction.on_commit(lambda: nudge(check))
    return check


@transaction.atomic
def request_again(*, check: FormatCheck) -> bool:
    """Have staff try again what failed by our fault; False, and nothing changed, where it did not."""
    fresh = {"failed_at": None, "started_at": None, "queued_at": None, "faults": 0, "attempt": 0, "error": ""}
    asked = FormatCheck.objects.filter(pk=check.pk, failed_at__isnull=False).update(
        requested_at=clock.now(), lease_until=None, **fresh
    )
    if asked:
        transaction.on_commit(lambda: nudge(check))
    return bool(asked)


def nudge(check: FormatCheck) -> bool:
    """Send a worker the check's id; False when the broker is away."""
    from projects.format.tasks import check_format  # noqa: PLC0415 - tasks call the runner, which ends in these services

    if not settings.REDIS_URL:
        return False
    try:
        check_format.apply_async((check.pk,), queue=Lane.INTERACTIVE)
    except (CeleryError, KombuError, redis.Unavailable, OSError) as error:
        log.warning("format_check_not_sent", check=check.pk, error=str(error))
        return False
    FormatCheck.objects.filter(pk=check.pk).update(queued_at=clock.now())
    return True
