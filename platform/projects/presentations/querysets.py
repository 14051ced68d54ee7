"""Questions over talks and their ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Exists, OuterRef

from courses.models import Enrollment, Offering

if TYPE_CHECKING:
    from projects.presentations.models import Rating, Talk  # noqa: F401 - named in the base classes


class TalkQuerySet(models.QuerySet["Talk"]):
    """Talks, asked by their timestamps."""

    def of(self, offering: Offering) -> Self:
        """All of an offering, in order, with their teams and sessions."""
        return self.filter(offering=offering).select_related("team", "session")

    def open(self) -> Self:
        """Whose ratings are taken now."""
        return self.filter(opened_at__isnull=False, closed_at=None)

    def closed(self) -> Self:
        """Whose ratings are complete."""
        return self.filter(closed_at__isnull=False)

    def counting(self) -> Self:
        """All but practice."""
        return self.filter(practice=False)


class RatingQuerySet(models.QuerySet["Rating"]):
    """Ratings of classmates."""

    def counting(self) -> Self:
        """All but those of people who turned out to be speakers themselves, when staff added them later."""
        own = Enrollment.objects.filter(pk=OuterRef("rater"), spoken__talk=OuterRef("talk"))
        return self.filter(~Exists(own))
