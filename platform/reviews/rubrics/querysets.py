"""Questions over the comment bank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from assignments.models import Assignment
    from reviews.rubrics.models import BankComment  # noqa: F401 - named in the base class


class BankCommentQuerySet(models.QuerySet["BankComment"]):
    """Comments, by whether they are offered and for what."""

    def offered(self) -> Self:
        """Those that nobody removed, the most used first."""
        return self.filter(archived_at=None)

    def at(self, assignment: Assignment) -> Self:
        """Those of the items that are marked now."""
        return self.filter(item__rubric__assignment=assignment, item__retired_at=None)
