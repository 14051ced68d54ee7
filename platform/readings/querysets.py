"""Questions over the readings of an offering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

from courses.models import Enrollment, Offering

if TYPE_CHECKING:
    from readings.models import Reading  # noqa: F401 - named in the base class


class ReadingQuerySet(models.QuerySet["Reading"]):
    """Readings with their paper and their assignment, in the order of the list."""

    def of(self, offering: Offering) -> Self:
        """All that an offering has, archived ones too."""
        return self.filter(assignment__offering=offering).select_related("assignment", "paper")

    def listed(self) -> Self:
        """Those on the list, hidden ones too."""
        return self.filter(archived_at=None)

    def archived(self) -> Self:
        """Those that were taken off the list and kept for their summaries, the last one first."""
        return self.exclude(archived_at=None).order_by("-archived_at", "-pk")

    def seen_by(self, enrollment: Enrollment) -> Self:
        """The list of the viewer's offering as they see it: what is hidden is for staff."""
        listed = self.of(enrollment.offering).listed()
        return listed if enrollment.is_staff else listed.filter(hidden=False)
