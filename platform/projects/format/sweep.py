"""What the sweeper does for format checks: sends lost messages again, gives up what no worker survives, forgets old pictures."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db.models import Exists, OuterRef, Q, QuerySet

from config import clock
from projects.format.models import FormatCheck, PagePicture
from projects.format.services import nudge
from submissions.models import Author, Submission

BATCH = 200
log = structlog.get_logger(__name__)


def drive_checks() -> int:
    """Nudge for every check that waits without a message, or whose worker is gone; returns how many messages were sent.

    A check that several workers took and none brought back is given up. Several sweepers may run.
    """
    now = clock.now()
    dead = FormatCheck.objects.free(now).filter(started_at__isnull=False, attempt__gte=settings.FORMAT_MAX_CLAIMS)
    for check in dead[:BATCH]:
        _give_up(check, now)
    sent = 0
    for check in FormatCheck.objects.lost(now, timedelta(seconds=settings.FORMAT_REDISPATCH_S)).order_by("pk")[:BATCH]:
        if not nudge(check):
            break
        sent += 1
    return sent


def forget_old_pictures() -> int:
    """Once an hour: forget pictures of PDFs for which their authors handed in another long ago; returns how many.

    What was found stays. The bytes are deleted with all others that no row names any more.
    """
    if not cache.add("format-pictures-forgotten", "yes", settings.PRUNE_EVERY_S):
        return 0
    long_ago = clock.now() - timedelta(seconds=settings.FORMAT_PICTURES_KEPT_S)
    old = PagePicture.objects.filter(Exists(_later_work(long_ago)))
    forgotten, _ = old.delete()
    if forgotten:
        log.info("format_pictures_forgotten", pictures=forgotten)
    return forgotten


def _later_work(before: datetime) -> QuerySet[Submission]:
    """Work on the same assignment that came later, and long ago, by one of those whose work the picture shows."""
    submission = OuterRef("check_of__file__submission")
    authors = Author.objects.filter(submission=OuterRef(submission)).values("enrollment")
    return Submission.objects.filter(
        Q(authors__enrollment__in=authors) | Q(enrollment=OuterRef("check_of__file__submission__enrollment")),
        assignment=OuterRef("check_of__file__submission__assignment"),
        pk__gt=submission,
        created_at__lt=before,
    )


def _give_up(check: FormatCheck, now: datetime) -> None:
    told = f"{check.attempt} workers took this check and none came back."
    found = FormatCheck.objects.free(now).filter(pk=check.pk, fence=check.fence)
    if found.update(failed_at=now, lease_until=None, error=f"{check.error}\n{told}".strip()):
        log.error("format_check_failed", check=check.pk, error=told)
