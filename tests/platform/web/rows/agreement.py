"""Second readings, calibration and similar texts: for staff; what decides a score or chooses a text, for instructors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from config import clock
from reviews.agreement.models import CalibrationText, DoubleMark, DoubleReading
from reviews.agreement.services import choose_calibration
from reviews.similar.models import SimilarPair, SimilarSearch
from reviews.similar.services import search_similar
from tests.factories import ReadingFactory, reviewed, summary
from tests.platform.web.rows import STAFF, Row

MODELS = (DoubleReading, DoubleMark, CalibrationText, SimilarPair, SimilarSearch)
INSTRUCTOR = {"instructor"}


def offering(things: Any) -> list[Any]:
    return [things.offering.slug]


def of(name: str):
    return lambda things: [things.offering.slug, things.more[name]]


def marks(things: Any) -> dict[str, Any]:
    items = things.more["read_twice"].assignment.rubric.items.all()
    return {"revision": "0", "comment": "", **{f"item-{item.pk}": "1" for item in items}}


ROWS = {
    "agreement": Row(STAFF, offering),
    # the TA is one of the two readers; that others' readings are not theirs is in test_pages.py of agreement
    "double-reading": Row(STAFF, of("double")),
    "double-reading-settle": Row(
        INSTRUCTOR, of("double"), "post", lambda _: {"outcome": "first", "reason": "because"}, 302
    ),
    "calibration": Row(STAFF, offering),
    "calibration-choose": Row(
        INSTRUCTOR, offering, "post", lambda things: {"number": things.more["read_twice"].pk}, 302
    ),
    "calibration-text": Row(STAFF, of("calibration")),
    "calibration-mark": Row(STAFF, of("calibration"), "post", marks, 302),
    "calibration-remove": Row(INSTRUCTOR, of("calibration"), "post", found=302),
    "similar": Row(STAFF, offering),
    "similar-pair": Row(STAFF, of("pair")),
    "similar-decide": Row(STAFF, of("pair"), "post", lambda _: {"status": "fine", "note": "alike by chance"}, 302),
    "similar-search": Row(STAFF, of("searched")),
    "similar-search-now": Row(STAFF, of("searched"), "post", found=302),
    "similar-quotable": Row(STAFF, of("searched"), "post", lambda _: {"text": "An abstract."}, 302),
}


def make(world: Any, _: Any) -> dict[str, Any]:
    """A reading of its own: read twice, chosen for calibration, and copied."""
    reading = ReadingFactory(assignment__offering=world.offering).assignment
    text = " ".join(f"word{at}" for at in range(60))
    work = summary(reading, world.student, {"problem": text})
    summary(reading, world.classmate, {"problem": text})
    reviewed(work, world.ta)
    reviewed(work, world.instructor, 0, 0, 0, 0, 0, 0, purpose="second")
    DoubleReading.objects.update(read_at=clock.now() - timedelta(hours=1))  # its readers may look at it
    search_similar(assignment=reading)
    return {
        "read_twice": work,
        "double": work.double_reading.pk,
        "calibration": choose_calibration(offering=world.offering, number=work.pk, by=world.instructor.user).pk,
        "pair": SimilarPair.objects.get().pk,
        "searched": reading.slug,
    }
