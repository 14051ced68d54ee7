"""Questions over searches."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, Q

if TYPE_CHECKING:
    from reviews.similar.models import SimilarSearch  # noqa: F401 - named in the base class

BEGIN_AGAIN = timedelta(minutes=10)
SETTLED = timedelta(minutes=1)  # after a due moment, when all that came in time is stored


class SimilarSearchQuerySet(models.QuerySet["SimilarSearch"]):
    """Searches, by whether they are due."""

    def due(self, now: datetime) -> Self:
        """Those never made of work that was due, made before a due moment that has passed, or asked for since."""
        passed, seen = now - SETTLED, F("searched_at") - SETTLED
        made_before = Q(searched_at=None) | Q(assignment__due_at__gt=seen)
        moved = Q(assignment__extensions__due_at__lt=passed, assignment__extensions__due_at__gt=seen)
        asked = Q(asked_at__isnull=False) & (Q(searched_at=None) | Q(searched_at__lt=F("asked_at")))
        wanted = self.filter(Q(made_before, assignment__due_at__lt=passed) | moved | asked)
        return wanted.free(now).distinct().order_by("pk")

    def free(self, now: datetime) -> Self:
        """Those that nobody makes now."""
        return self.filter(Q(begun_at=None) | Q(begun_at__lte=F("searched_at")) | Q(begun_at__lt=now - BEGIN_AGAIN))
