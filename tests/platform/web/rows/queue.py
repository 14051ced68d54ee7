"""Rows of the review queue: a reading whose due moment has passed, with a summary in it."""

from __future__ import annotations

from datetime import timedelta

from config import clock
from reviews.marking.models import Claim
from tests.factories import ReadingFactory, summary
from tests.platform.web.rows import STAFF, Row

MODELS = (Claim,)


def make(world, things):
    yesterday = clock.now() - timedelta(days=1)
    reading = ReadingFactory(assignment__offering=world.offering, assignment__due_at=yesterday).assignment
    return {"queue": summary(reading, world.student)}


def offering(things):
    return [things.offering.slug]


def assignment(things):
    return [things.offering.slug, things.more["queue"].assignment.slug]


def submission(things):
    return [*assignment(things), things.more["queue"].pk]


def marks(things):
    items = things.more["queue"].assignment.rubric.items.all()
    return {f"mark-{item.pk}": "2" for item in items} | {"revision": "0"}


ROWS = {
    "queue": Row(STAFF, offering),
    "queue-assignment": Row(STAFF, assignment),
    "queue-next": Row(STAFF, assignment, "post", found=302),
    "queue-undo": Row(STAFF, assignment, "post", found=302),
    "queue-names": Row(STAFF, assignment, "post", found=302),
    "queue-submission": Row(STAFF, submission),
    "queue-save": Row(STAFF, submission, "post", marks, 302),
    "queue-skip": Row(STAFF, submission, "post", found=302),
    "queue-renew": Row(STAFF, submission, "post"),
    "queue-file": Row(STAFF, lambda things: [*submission(things), things.more["queue"].files.first().pk]),
}
