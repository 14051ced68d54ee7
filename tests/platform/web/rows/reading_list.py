"""Rows of the pages by which the reading list is kept. What changes it is for instructors alone."""

from __future__ import annotations

from django.utils import timezone

from readings.models import Paper, Reading
from tests.factories import ReadingFactory
from tests.platform.web.rows import MEMBERS, Row

MODELS = (Paper, Reading)
INSTRUCTOR = {"instructor"}


def make(world, things):
    """A reading in the archive."""
    archived = ReadingFactory(assignment__offering=world.offering, hidden=True, archived_at=timezone.now())
    return {"archived": archived.assignment}


def offering(things):
    return [things.offering.slug]


def reading(things):
    return [things.offering.slug, things.reading.slug]


def archived(things):
    return [things.offering.slug, things.more["archived"].slug]


ROWS = {
    "reading-list-add": Row(INSTRUCTOR, offering),
    "reading-list-import": Row(INSTRUCTOR, offering),
    "reading-list-export": Row(MEMBERS, offering),
    "reading-list-dates": Row(INSTRUCTOR, offering),
    "reading-list-copy": Row(INSTRUCTOR, offering),
    "reading-list-edit": Row(INSTRUCTOR, reading),
    "reading-list-order": Row(INSTRUCTOR, offering, "post", lambda _: {"order": []}, 302),
    "reading-list-visibility": Row(INSTRUCTOR, reading, "post", lambda _: {"hidden": "yes"}, 302),
    "reading-list-remove": Row(INSTRUCTOR, reading, "post", found=302),
    "reading-list-restore": Row(INSTRUCTOR, archived, "post", found=302),
}
