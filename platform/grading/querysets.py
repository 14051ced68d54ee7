"""Questions over grading jobs: which may be claimed, which are lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from grading.models import GradingJob


class GradingJobQuerySet(models.QuerySet["GradingJob"]):
    """Jobs, asked by their timestamps."""

    def counting(self) -> Self:
        """Whose reports are scores: all but dry runs."""
        return self.filter(counts=True)

    def active(self) -> Self:
        """Neither finished, failed nor cancelled."""
        return self.filter(finished_at=None, failed_at=None, cancelled_at=None)

    def ended(self) -> Self:
        """Finished, failed or cancelled."""
        return self.exclude(finished_at=None, failed_at=None, cancelled_at=None)

    def waiting(self) -> Self:
        """Active, and no worker has begun."""
        return self.active().filter(started_at=None)

    def claimable(self, now: datetime) -> Self:
        """Waiting, or held by a worker whose lease has run out."""
        return self.active().filter(Q(started_at=None) | Q(lease_until__lt=now))

    def lost(self, now: datetime, patience: timedelta) -> Self:
        """Claimable jobs whose latest message is older than `patience`, or was never sent."""
        return self.claimable(now).filter(Q(queued_at=None) | Q(queued_at__lt=now - patience))

    def ahead_of(self, job: GradingJob) -> Self:
        """Jobs of the same lane that began to wait earlier."""
        return self.waiting().filter(pk__lt=job.pk, practice_run__isnull=job.practice_run_id is None)
