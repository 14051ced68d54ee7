"""Questions over reviews and claims."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from reviews.marking.models import Adjustment, Claim, Review  # noqa: F401 - named in the base classes


class ReviewQuerySet(models.QuerySet["Review"]):
    """Reviews, by whether they are the score."""

    def counting(self) -> Self:
        """First readings: the ones that are the score."""
        return self.filter(purpose="first")

    def second(self) -> Self:
        """Second readings: compared, never counted."""
        return self.filter(purpose="second")


class ClaimQuerySet(models.QuerySet["Claim"]):
    """Claims, by whether they still hold."""

    def held_at(self, now: datetime) -> Self:
        """Those whose lease has not run out."""
        return self.filter(until__gt=now)


class StandingAdjustments(models.Manager["Adjustment"]):
    """Adjustments that count: those that nobody withdrew."""

    def get_queryset(self) -> models.QuerySet[Adjustment]:
        """Without the withdrawn ones."""
        return super().get_queryset().filter(withdrawn_at=None)
