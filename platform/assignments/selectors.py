"""Reads over assignments that several pages share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from assignments.due.selectors import decided
from assignments.models import Assignment, Lab
from courses.models import Enrollment


def due_dates(enrollment: Enrollment, assignments: Iterable[Assignment]) -> dict[int, datetime]:
    """When each assignment is due for this student, by assignment id. Two queries."""
    return {pk: date.due_at for pk, date in decided(enrollment, assignments).items()}


def longest_wall_s() -> float:
    """The longest time that one run of a published lab may take, in seconds."""
    return max((lab.summary.max_wall_s for lab in Lab.objects.all()), default=0.0)
