"""Questions over what was granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from assignments.due.models import Accommodation, Extension  # noqa: F401 - named in the base classes


class ExtensionQuerySet(models.QuerySet["Extension"]):
    """Extensions, by whether they still stand."""

    def standing(self) -> Self:
        """Those that were not revoked."""
        return self.filter(revoked_at=None)


class AccommodationQuerySet(models.QuerySet["Accommodation"]):
    """Accommodations, by whether they still stand."""

    def standing(self) -> Self:
        """Those that were not revoked, the first granted first."""
        return self.filter(revoked_at=None).order_by("pk")
