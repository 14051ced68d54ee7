"""Questions over windows, presence and points."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from attendance.models import CheckInWindow, ParticipationPoint  # noqa: F401 - named in the base classes


class CheckInWindowQuerySet(models.QuerySet["CheckInWindow"]):
    """Check-in windows, by when they are open."""

    def open_at(self, moment: datetime) -> Self:
        """Those in which a code is taken at this moment."""
        return self.filter(opened_at__lte=moment, closes_at__gt=moment)


class ParticipationPointQuerySet(models.QuerySet["ParticipationPoint"]):
    """Participation points."""

    def standing(self) -> Self:
        """Those that count."""
        return self.filter(withdrawn_at=None)
