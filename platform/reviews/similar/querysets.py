"""Questions over searches."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from submissions.models import Submission

if TYPE_CHECKING:
    from reviews.similar.models import SimilarSearch  # noqa: F401 - named in the base class

BEGIN_AGAIN = timedelta(minutes=10)
SETTLED = timedelta(minutes=1)  # after which all that came in time is stored


class SimilarSearchQuerySet(models.QuerySet["SimilarSearch"]):
    """Searches, by whether they are due."""

    def due(self, now: datetime) -> Self:
        """Those not made since work was due or since something came later, by whichever rule; and those asked for since."""
        passed, seen = now - SETTLED, F("searched_at") - SETTLED
        late = Submission.objects.filter(
            assignment=OuterRef("assignment"), created_at__lt=passed, created_at__gt=OuterRef("searched_at") - SETTLED
        )
        stale = Q(searched_at=None) | Q(assignment__due_at__gt=seen) | Exists(late)
        asked = Q(asked_at__isnull=False) & (Q(searched_at=None) | Q(searched_at__lt=F("asked_at")))
        wanted = self.filter(Q(stale, assignment__due_at__lt=passed) | asked)
        return wanted.free(now).order_by("pk")

    def free(self, now: datetime) -> Self:
        """Those that nobody makes now."""
        return self.filter(Q(begun_at=None) | Q(begun_at__lte=F("searched_at")) | Q(begun_at__lt=now - BEGIN_AGAIN))
