"""Questions over regrades and over the changes they made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from reviews.regrades.models import LabRegrade, ScoreChange  # noqa: F401 - named in the base classes


class LabRegradeQuerySet(models.QuerySet["LabRegrade"]):
    """Regrades, asked by their timestamps."""

    def open(self) -> Self:
        """Dry runs: neither applied nor discarded."""
        return self.filter(applied_at=None, discarded_at=None)

    def standing(self) -> Self:
        """Applied and not taken back."""
        return self.filter(applied_at__isnull=False, reverted_at=None)


class ScoreChangeQuerySet(models.QuerySet["ScoreChange"]):
    """Changes of scores, asked by who hears of them."""

    def told(self) -> Self:
        """Those that their student hears of, the latest first."""
        return self.filter(tells=True).select_related("regrade__assignment").order_by("-pk")
