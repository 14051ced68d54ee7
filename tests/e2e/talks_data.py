"""An offering of its own for a test of the presentation hour: `python talks_data.py SLUG [planned]`, with the settings of a stack.

With `planned` both teams have a talk, and the id of the first one is printed.
"""

from __future__ import annotations

import os
import sys
from datetime import date, time, timedelta

DOMAIN = "demo.gradlab.example"
TEAMS = {"Fast Attention": ("ada", "kofi"), "Lean Caches": ("noor", "linh")}
LISTENERS = ("mei", "jin", "omar", "freya")


def main(slug: str, *, planned: bool) -> None:
    """Two teams, four who only listen, two of the demo's TAs as TA and instructor; two sessions, the later one without talks."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from accounts.models import User
    from config import clock
    from courses.models import Role
    from projects.models import PresentationRules
    from tests.factories import EnrollmentFactory, OfferingFactory, SessionFactory, talk, team

    # older than the seeded one, which stays the first page of everybody
    offering = OfferingFactory(slug=slug, course__code=slug, starts_on=date(2025, 1, 20), ends_on=date(2026, 6, 1))
    PresentationRules.objects.create(offering=offering, first_talk=time(15, 30))
    today = offering.day_of(clock.now())
    for week, topic in enumerate(("Talks 1", "Talks 2"), start=1):
        SessionFactory(offering=offering, week=week, date=today + timedelta(days=2 * week - 2), topic=topic)

    def enrolled(name: str, role: str = Role.STUDENT):
        return EnrollmentFactory(offering=offering, user=User.objects.get(email=f"{name}@{DOMAIN}"), role=role)

    for name, members in TEAMS.items():
        made = team(offering, *map(enrolled, members), name=name)
        made.topic = f"What {name.lower()} is good for"
        made.save()
    for name in LISTENERS:
        enrolled(name)
    enrolled("priya", Role.TA)
    # who teaches the seeded course teaches nothing else, which other tests look at
    enrolled("tomas", Role.INSTRUCTOR)
    if planned:
        session = offering.sessions.first()
        talks = [
            talk(each, session=session, position=place) for place, each in enumerate(offering.teams.all(), start=1)
        ]
        sys.stdout.write(str(talks[0].pk))


if __name__ == "__main__":
    main(sys.argv[1], planned="planned" in sys.argv)
