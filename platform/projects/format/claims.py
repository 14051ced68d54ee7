"""Who may write a check's result: a lease and a fencing token by conditional UPDATEs, as for grading jobs.

No heartbeat renews the lease: what the grader allows one PDF is less than a lease, so a lease that ran out belonged to the dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from config import clock
from grader.contract import FormatReport
from projects.format.models import FormatCheck, PagePicture
from projects.format.querysets import FormatCheckQuerySet
from projects.format.services import nudge

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Claim:
    """The right to write to a check, as long as nobody claimed it later."""

    check_id: int
    fence: int


@dataclass(frozen=True)
class StoredPicture:
    """A page's picture whose bytes are durable."""

    page: int
    sha256: str
    width: int
    height: int


@transaction.atomic
def claim(*, check_id: int) -> Claim | None:
    """Take the check for the length of a lease; None when it is over or another worker has it."""
    now = clock.now()
    taken = (
        FormatCheck.objects.free(now)
        .filter(pk=check_id)
        .update(
            started_at=now,
            lease_until=now + timedelta(seconds=settings.FORMAT_LEASE_S),
            fence=F("fence") + 1,
            attempt=F("attempt") + 1,
        )
    )
    if not taken:
        return None
    return Claim(check_id, FormatCheck.objects.values_list("fence", flat=True).get(pk=check_id))


@transaction.atomic
def record_report(held: Claim, report: FormatReport, pictures: Sequence[StoredPicture]) -> bool:
    """Store what was found, with its pictures; False, and nothing stored, when the claim is lost."""
    stored = _held(held).update(finished_at=clock.now(), lease_until=None, error="", data=report.to_json().decode())
    if stored:
        rows = PagePicture.objects.filter(check_of=held.check_id)
        rows.delete()
        rows.bulk_create(
            PagePicture(
                check_of_id=held.check_id,
                page=picture.page,
                sha256=picture.sha256,
                width=picture.width,
                height=picture.height,
            )
            for picture in pictures
        )
    return bool(stored)


def record_refusal(held: Claim, sentence: str, *, note: str = "") -> bool:
    """Note that the PDF cannot be read, and why, for its authors; `note` is for staff."""
    return bool(_held(held).update(finished_at=clock.now(), lease_until=None, refusal=sentence, error=note))


@transaction.atomic
def record_fault(held: Claim, *, error: str) -> bool:
    """End a try that failed by our fault: once more, and after the second fault it is given up. `error` is for staff."""
    check = _held(held).select_for_update().first()
    if check is None:
        return False
    check.faults, check.error = check.faults + 1, f"{check.error}\n{error}".strip()
    check.lease_until = None
    if check.faults < settings.FORMAT_MAX_FAULTS:
        check.started_at = check.queued_at = None
        transaction.on_commit(lambda: nudge(check))
    else:
        check.failed_at = clock.now()
        log.error("format_check_failed", check=check.pk, error=error)
    check.save()
    return True


def postpone(held: Claim, *, error: str) -> bool:
    """Give the check back without counting this try: what it needs is away, and comes back. The sweeper sends it again."""
    back = {"started_at": None, "lease_until": None, "queued_at": clock.now(), "error": error}
    return bool(_held(held).update(attempt=F("attempt") - 1, **back))


def _held(held: Claim) -> FormatCheckQuerySet:
    return FormatCheck.objects.open().filter(pk=held.check_id, fence=held.fence, started_at__isnull=False)
