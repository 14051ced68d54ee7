"""Questions over regrade requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from courses.models import Offering
    from reviews.requests.models import RegradeRequest  # noqa: F401 - named in the base class


class RegradeRequestQuerySet(models.QuerySet["RegradeRequest"]):
    """Requests, by where they belong and whether they wait."""

    def of_offering(self, offering: Offering) -> Self:
        """Those about scores of the offering."""
        return self.filter(asked_by__offering=offering)

    def open(self) -> Self:
        """Those that wait for an answer."""
        return self.filter(status="open")

    def with_people(self) -> Self:
        """The same with everything that a list of them names."""
        return self.select_related("submission__assignment", "asked_by__user", "answered_by", "grader_before")
