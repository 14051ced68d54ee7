"""The page that leads to all ways in and out."""

from __future__ import annotations

from dataclasses import dataclass

from assignments.models import Assignment
from courses.models import Enrollment, Role
from exchange.numbers import is_sealed


@dataclass(frozen=True)
class ExchangePage:
    """Labs with their number of submissions; `without_ids` students Canvas could not tell apart."""

    is_instructor: bool
    students: int
    without_ids: int
    labs: tuple[Assignment, ...]
    final: bool


def exchange_page(viewer: Enrollment) -> ExchangePage:
    """Four queries."""
    students = Enrollment.objects.active().filter(offering=viewer.offering, role=Role.STUDENT)
    return ExchangePage(
        is_instructor=viewer.is_instructor,
        students=students.count(),
        without_ids=students.filter(lms_id="", sis_id="", sis_login="").count(),
        labs=tuple(viewer.offering.assignments.labs()),
        final=is_sealed(viewer.offering),
    )
