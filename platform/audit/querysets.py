"""Questions over the trail."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Model, Q

if TYPE_CHECKING:
    from audit.models import AuditEvent  # noqa: F401 - named in the base class

SEARCHED = ("action", "actor_name", "before", "after", "reason")


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    """Events, asked by what they are about and what they say."""

    def about(self, *subjects: Model) -> Self:
        """Those of any of these objects."""
        wanted = Q(pk__in=())
        for subject in subjects:
            wanted |= Q(subject_type=type(subject).__name__, subject_id=subject.pk)
        return self.filter(wanted)

    def of_kinds(self, kinds: Collection[str]) -> Self:
        """Those whose subject is of one of these types."""
        return self.filter(subject_type__in=kinds)

    def between(self, first: datetime | None, last: datetime | None) -> Self:
        """From `first` on and before `last`; None leaves that side open."""
        found = self.filter(at__gte=first) if first else self
        return found.filter(at__lt=last) if last else found

    def saying(self, text: str) -> Self:
        """Those that hold the text, whatever its case."""
        wanted = Q(pk__in=())
        for field in SEARCHED:
            wanted |= Q(**{f"{field}__icontains": text})
        return self.filter(wanted)

    def written_before(self, pk: int) -> Self:
        """The page that follows event `pk`, the latest first. Rows are only ever added, so a page stays what it was."""
        return self.filter(pk__lt=pk)
