"""Questions over grading jobs: which may be claimed, which are lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from grading.models import GradingJob


class GradingJobQuerySet(models.QuerySet["GradingJob"]):
    """Jobs, asked by their timestamps."""

    def active(self) -> Self:
        """Neither finished, failed nor cancelled."""
        return self.filter(finished_at=None, failed_at=None, cancelled_at=None)

    def waiting(self) -> Self:
        """Active, and no worker has begun."""
        return self.active().filter(started_at=None)

    def claimable(self, now: datetime) -> Self:
        """Waiting, or held by a worker whose lease has run out, or reaches so far that a clock was set back since."""
        too_far = now + 2 * timedelta(seconds=settings.GRADING_LEASE_S)
        return self.active().filter(Q(started_at=None) | Q(lease_until__lt=now) | Q(lease_until__gt=too_far))

    def lost(self, now: datetime, patience: timedelta) -> Self:
        """Claimable jobs whose latest message is older than `patience`, from a time that is yet to come, or was never sent."""
        young = Q(queued_at__range=(now - patience, now + patience))
        return self.claimable(now).filter(Q(queued_at=None) | ~young)

    def ahead_of(self, job: GradingJob) -> Self:
        """Jobs of the same lane that began to wait earlier."""
        return self.waiting().filter(pk__lt=job.pk, practice_run__isnull=job.practice_run_id is None)
