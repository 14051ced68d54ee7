"""Questions over format checks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from projects.format.models import FormatCheck  # noqa: F401 - named in the base class


class FormatCheckQuerySet(models.QuerySet["FormatCheck"]):
    """Checks by what may be done with them."""

    def open(self) -> Self:
        """Neither finished nor given up."""
        return self.filter(finished_at=None, failed_at=None)

    def free(self, now: datetime) -> Self:
        """Those that a worker may take: waiting, or with a lease that ran out, or that reaches too far since a clock was set back."""
        too_far = now + 2 * timedelta(seconds=settings.FORMAT_LEASE_S)
        return self.open().filter(Q(started_at=None) | Q(lease_until__lt=now) | Q(lease_until__gt=too_far))

    def lost(self, now: datetime, patience: timedelta) -> Self:
        """Free ones for which no message was sent lately."""
        return self.free(now).filter(Q(queued_at=None) | Q(queued_at__lt=now - patience))
