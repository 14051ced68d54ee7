"""Questions over assignments."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from assignments.models import Assignment  # noqa: F401 - named in the base class


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    """Assignments of one kind, or open at a moment."""

    def labs(self) -> Self:
        """Labs, in order."""
        return self.filter(kind="lab").order_by("number")

    def readings(self) -> Self:
        """Readings, in order."""
        return self.filter(kind="reading").order_by("number")

    def deliverables(self) -> Self:
        """Deliverables of projects, in order."""
        return self.filter(kind="deliverable").order_by("number")

    def open_at(self, now: datetime) -> Self:
        """Those that students may see."""
        return self.filter(opens_at__lte=now)
