"""A person's own dates: when everything is due for them, by which rule, and what was granted to them."""

from __future__ import annotations

from dataclasses import dataclass

from assignments.due.models import Accommodation, Extension
from config import clock
from courses.models import Enrollment
from web.selectors.schedule import DueRow, due_rows


@dataclass(frozen=True)
class DatesPage:
    """Labs, readings and deliverables by due date, and the grants that move dates, revoked ones too, newest first."""

    rows: tuple[DueRow, ...]
    extensions: tuple[Extension, ...]
    accommodations: tuple[Accommodation, ...]
    is_staff: bool


def dates_page(enrollment: Enrollment) -> DatesPage:
    """What holds for the viewer. Eleven queries at most."""
    extensions = Extension.objects.filter(enrollment=enrollment).select_related("assignment")
    return DatesPage(
        rows=tuple(due_rows(enrollment, clock.now())),
        extensions=tuple(extensions),
        accommodations=tuple(Accommodation.objects.filter(enrollment=enrollment)),
        is_staff=enrollment.is_staff,
    )
