"""Items of rubrics, by whether they are still marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from reviews.models import RubricItem


class CurrentItems(models.Manager["RubricItem"]):
    """Items that graders mark now. Retired ones keep their marks, and are found by `RubricItem.ever` alone."""

    def get_queryset(self) -> models.QuerySet[RubricItem]:
        """Without the retired ones."""
        return super().get_queryset().filter(retired_at=None)
