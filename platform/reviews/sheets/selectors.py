"""The page of score sheets, and the preview of an import."""

from __future__ import annotations

from dataclasses import dataclass

from assignments.models import Assignment
from courses.models import Enrollment
from reviews.models import RubricItem
from reviews.sheets.diff import SheetDiff
from reviews.sheets.export import item_header


@dataclass(frozen=True)
class SheetPage:
    """Downloads of an assignment's scores, and the form that sends them back. `refusal` says why the last file was not read."""

    assignment: Assignment
    columns: tuple[str, ...]
    is_instructor: bool
    refusal: str = ""


@dataclass(frozen=True)
class PreviewPage:
    """What a file would change. `signed` is what the confirmation sends back."""

    assignment: Assignment
    diff: SheetDiff
    signed: str
    file: str


def sheet_page(enrollment: Enrollment, assignment: Assignment, *, refusal: str = "") -> SheetPage:
    """One query."""
    items = RubricItem.objects.filter(rubric__assignment=assignment)
    columns = tuple(item_header(item) for item in items)
    return SheetPage(assignment, columns, enrollment.is_instructor, refusal)
