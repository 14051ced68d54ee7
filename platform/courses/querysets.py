"""Questions over enrollments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from courses.models import Enrollment  # noqa: F401 - named in the base class


class EnrollmentQuerySet(models.QuerySet["Enrollment"]):
    """Enrollments, asked by what they allow."""

    def active(self) -> Self:
        """Of people who have not dropped."""
        return self.filter(dropped_at=None, user__is_active=True)

    def students(self) -> Self:
        """Active students, in the order of a class list."""
        return self.active().filter(role="student").order_by("user__sort_name", "pk")

    def staff(self) -> Self:
        """Active instructors and TAs."""
        return self.active().filter(role__in=("ta", "instructor"))
