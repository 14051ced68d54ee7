"""Instructors who all do the same at the same moment, each in a thread with a connection of its own.

As a program it does so on the PostgreSQL server that `GRADLAB_DATABASE_URL` names, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from datetime import date
from decimal import Decimal

ROUNDS, AT_ONCE = 4, 3


def together(acts) -> dict[str, int]:
    """How often the acts, all of them started at the same moment, were done or refused."""
    from django.db import connection

    from exchange.copying.services import CopyRefused
    from exchange.nbgrader.found import ImportRefused
    from exchange.rosters.services import RosterRefused

    start, got = threading.Barrier(len(acts)), [""] * len(acts)

    def run(place: int, act) -> None:
        start.wait()
        try:
            act()
            got[place] = "done"
        except (RosterRefused, ImportRefused, CopyRefused):
            got[place] = "refused"
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return dict(Counter(got))


def instructor():
    """An instructor with a student and a lab."""
    from courses.models import Role
    from tests.factories import AssignmentFactory, OfferingFactory, person

    offering = OfferingFactory()
    person(offering)
    AssignmentFactory(offering=offering, lab=None)
    return person(offering, Role.INSTRUCTOR)


def roster_of(staff, text: str):
    """An act that applies this roster as it was previewed."""
    from exchange.rosters.columns import guessed
    from exchange.rosters.services import Choices, Upload, apply, sign
    from exchange.tables import read_grid

    upload = Upload((grid := read_grid(text.encode())), guessed(grid))
    signed = sign(staff.offering, upload, upload.plan(staff.offering).fingerprint, by=staff.user)
    return lambda: apply(offering=staff.offering, signed=signed, choices=Choices(), by=staff.user)


def one_roster() -> list[dict]:
    """The same preview, confirmed several times at once."""
    from audit.models import AuditEvent

    rounds = []
    for number in range(ROUNDS):
        staff = instructor()
        got = together([roster_of(staff, f"Name,Email\nNew Person,new{number}@example.edu\n")] * AT_ONCE)
        acts = AuditEvent.objects.filter(offering_id=staff.offering.pk, action="applied a roster").count()
        rounds.append({"got": got, "acts": acts, "people": staff.offering.enrollments.count()})
    return rounds


def one_newcomer() -> list[dict]:
    """Several courses add the same new person at once."""
    from accounts.models import User

    rounds = []
    for number in range(ROUNDS):
        address = f"shared{number}@example.edu"
        got = together([roster_of(instructor(), f"Name,Email\nNew Person,{address}\n") for _ in range(AT_ONCE)])
        places = User.objects.get(email=address).enrollments.count()
        rounds.append({"got": got, "places": places})
    return rounds


def one_import() -> list[dict]:
    """The same points, taken over several times at once, and then withdrawn several times at once."""
    from exchange.models import PointsImport
    from exchange.nbgrader.found import Found, Points
    from exchange.nbgrader.services import Upload, sign, take_over, withdraw
    from gradebook.models import Decision

    rounds = []
    for _ in range(ROUNDS):
        staff = instructor()
        student = staff.offering.enrollments.students().get()
        found = Found("", "x", "", "", student.user.email, "", Decimal(7), Decimal(10), Decimal(0))
        upload = Upload(Points((found,), (), ()), {"x": staff.offering.assignments.get().pk})
        signed = sign(staff.offering, upload, upload.plan(staff.offering).fingerprint, by=staff.user)
        take = lambda staff=staff, signed=signed: take_over(  # noqa: E731 - an act of this round
            offering=staff.offering, signed=signed, reason="", by=staff.user
        )
        got = together([take] * AT_ONCE)
        standing = Decision.objects.filter(enrollment=student, withdrawn_at=None)
        stood = standing.count()
        made = PointsImport.objects.get(offering=staff.offering)
        together([lambda made=made, staff=staff: withdraw(points_import=made, by=staff.user)] * AT_ONCE)
        rounds.append({"got": got, "stood": stood, "stands": standing.count()})
    return rounds


def one_address() -> list[dict]:
    """Several copies with the same address at once."""
    from courses.models import Offering
    from exchange.copying.services import copy_offering
    from exchange.copying.spec import Frame, shift_of, source_of, suggested

    rounds = []
    for number in range(ROUNDS):
        staff, slug = instructor(), f"next-{number}"
        frame = Frame(slug, "Fall", date(2026, 8, 25), date(2026, 12, 10), "", "", ())
        source = source_of(staff.offering)
        dates = suggested(source, shift_of(source, frame))
        copy = lambda staff=staff, frame=frame, dates=dates: copy_offering(  # noqa: E731 - an act of this round
            offering=staff.offering, frame=frame, dates=dates, by=staff.user
        )
        got = together([copy] * AT_ONCE)
        new = Offering.objects.get(slug=slug)
        rounds.append({"got": got, "work": new.assignments.count(), "people": new.enrollments.count()})
    return rounds


def all_of_it() -> dict:
    """Every race."""
    return {"roster": one_roster(), "newcomer": one_newcomer(), "import": one_import(), "address": one_address()}


def main() -> None:
    """On PostgreSQL."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()

    sys.stdout.write(json.dumps(all_of_it()) + "\n")


if __name__ == "__main__":
    main()
