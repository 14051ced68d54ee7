"""Rows of extensions and accommodations: instructors grant, staff see, everyone sees their own dates."""

from __future__ import annotations

from datetime import timedelta

from assignments.due.models import Accommodation, Extension
from courses.models import Offering
from tests.factories import ExtensionFactory
from tests.platform.web.rows import MEMBERS, STAFF, Row

MODELS = (Extension, Accommodation, Offering)


def make(world, things):
    return {
        "extension": ExtensionFactory(assignment=world.lab, enrollment=world.classmate),
        "accommodation": Accommodation.objects.create(
            enrollment=world.classmate, amount=1, unit="days", reason="r", granted_at=world.lab.opens_at
        ),
        "student": world.student,
    }


def offering(things):
    return [things.offering.slug]


def one(name):
    return lambda things: [things.offering.slug, things.more[name].pk]


def extension(things):
    day = (things.lab.due_at + timedelta(days=9)).date().isoformat()
    who = [things.more["student"].pk]
    return {"assignment": things.lab.pk, "due_on": day, "due_time": "12:00:00", "students": who, "reason": "was ill"}


def accommodation(things):
    return {"amount": "2", "unit": "days", "students": [things.more["student"].pk], "reason": "standing"}


def why(_):
    return {"reason": "because"}


ROWS = {
    "dates": Row(MEMBERS, offering),
    "extensions": Row(STAFF, offering),
    "extension-grant": Row({"instructor"}, offering, "post", extension, 302),
    "extension-rights": Row({"instructor"}, offering, "post", found=302),
    "extension-revoke": Row({"instructor"}, one("extension"), "post", why, 302),
    "accommodation-grant": Row({"instructor"}, offering, "post", accommodation, 302),
    "accommodation-revoke": Row({"instructor"}, one("accommodation"), "post", why, 302),
}
