"""Questions over grading jobs: which may be claimed, whose turn it is, which are lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q

from grading.fleet import Drain

if TYPE_CHECKING:
    from grading.models import GradingJob  # noqa: F401 - named in the base class


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

    def begun(self) -> Self:
        """Active, and a worker has begun; it may have vanished since."""
        return self.active().filter(started_at__isnull=False)

    def running(self, now: datetime) -> Self:
        """Held by a worker that was heard of lately."""
        return self.begun().filter(lease_until__gte=now)

    def claimable(self, now: datetime) -> Self:
        """Waiting, or held by a worker whose lease has run out, or reaches so far that a clock was set back since."""
        too_far = now + 2 * timedelta(seconds=settings.GRADING_LEASE_S)
        return self.active().filter(Q(started_at=None) | Q(lease_until__lt=now) | Q(lease_until__gt=too_far))

    def free(self, now: datetime) -> Self:
        """Claimable, and its student has no other job begun in the lane."""
        others = type(self)(self.model).begun().filter(student=OuterRef("student"), lane=OuterRef("lane"))
        return self.claimable(now).filter(~Exists(others.exclude(pk=OuterRef("pk"))))

    def open_to(self, worker: str) -> Self:
        """The same for a worker in service; none for one that is drained. Asked within the claim, so no job slips between."""
        return self.exclude(Exists(Drain.objects.holding(worker)))

    def shown(self) -> Self:
        """What the pages of a submission know: a run that a bad canary asked for is heard of once it is finished."""
        return self.exclude(canary__isnull=False, finished_at=None)

    def in_line(self) -> Self:
        """In the order of their turns: re-runs of staff last, then who has waited longest since the student's latest turn."""
        return self.order_by("rerun", "in_line_at", "pk")

    def lost(self, now: datetime, patience: timedelta) -> Self:
        """Free jobs whose latest message is older than `patience`, or from a time that is yet to come, or that have none."""
        young = Q(queued_at__range=(now - patience, now + patience))
        return self.free(now).filter(Q(queued_at=None) | ~young)
