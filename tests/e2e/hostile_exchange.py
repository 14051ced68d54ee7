"""What comes in from other systems, for the hostile course: columns, sources, reasons, IDs and sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import reverse

from config import clock
from courses.models import Enrollment
from exchange.models import CanvasColumn, PointsImport

if TYPE_CHECKING:
    from tests.e2e.hostile_course import Course


def exchange_words(course: Course, n: int, text: str) -> None:
    """Columns of Canvas, sources and reasons of imports, and IDs and sections of people."""
    CanvasColumn.objects.create(offering=course.offering, canvas_id=str(n), title=text, read_at=clock.now())
    PointsImport.objects.create(offering=course.offering, source=text, reason=text, made_at=clock.now())
    ids = {"section": text[:120], "sis_id": text[:60]}
    Enrollment.objects.filter(pk=course.students[n].pk).update(**ids)


def exchange_pages(course: Course) -> list[str]:
    """The pages that show them, for the instructor."""
    slug = course.offering.slug
    lists = ("exchange", "canvas", "points-imports", "transcripts", "offering-copy")
    people = course.students[:12]
    return [
        *(reverse(name, args=[slug]) for name in lists),
        *(reverse("transcript", args=[slug, student.pk]) for student in people),
    ]
