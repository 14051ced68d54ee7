"""Questions over releases and their mails."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from reviews.releases.models import Release, ReleaseMail  # noqa: F401 - named in the base classes


class ReleaseQuerySet(models.QuerySet["Release"]):
    """Releases, asked by their timestamps."""

    def standing(self) -> Self:
        """Neither undone nor taken back."""
        return self.filter(undone_at=None, retracted_at=None)


class ReleaseMailQuerySet(models.QuerySet["ReleaseMail"]):
    """Mails, asked by whether their time has come."""

    def due_at(self, now: datetime) -> Self:
        """To be sent now. What was undone tells nobody."""
        return self.filter(mail_at__lte=now, release__undone_at=None).order_by("mail_at", "pk")
