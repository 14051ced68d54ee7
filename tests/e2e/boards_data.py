"""An offering of its own with a lab that has a board: `python boards_data.py SLUG`, with the settings of a stack."""

from __future__ import annotations

import os
import sys
from datetime import date

DOMAIN = "demo.gradlab.example"
# name on the board, value, spread of its interval on either side
ENTRIES = {"kofi": ("Lane Change", 1.04, 0.03), "noor": ("Bank Conflict", 1.06, 0.03), "linh": ("Slow Boat", 2.4, 0.4)}


def main(slug: str) -> None:
    """Three who are on, one who is not, and a TA."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from accounts.models import User
    from config import clock
    from courses.models import Role
    from reviews.boards.models import BoardProof, BoardResult
    from reviews.boards.services import join
    from tests.factories import AssignmentFactory, EnrollmentFactory, OfferingFactory, submit
    from tests.platform.reviews.boards.board_lab import priced, publish_boarded

    # older than the seeded one, which stays the first page of everybody
    offering = OfferingFactory(slug=slug, course__code=slug, starts_on=date(2025, 1, 20), ends_on=date(2026, 6, 1))
    lab = AssignmentFactory(offering=offering, slug="kernels", title="Kernels", lab=publish_boarded())

    def enrolled(name: str, role: str = Role.STUDENT):
        return EnrollmentFactory(offering=offering, user=User.objects.get(email=f"{name}@{DOMAIN}"), role=role)

    for name, (shown, value, spread) in ENTRIES.items():
        student = enrolled(name)
        member = join(assignment=lab, enrollment=student, name=shown)
        work = submit(lab, student, priced("5"))
        now = clock.now()
        proof = BoardProof.objects.create(member=member, submission=work, lab=lab.lab, looked_at=now, settled_at=now)
        BoardResult.objects.create(
            proof=proof,
            check_name="test_add::test_cost",
            what="time against the instructor's",
            unit="×",
            value=value,
            low=value - spread,
            high=value + spread,
            samples=15,
            less_is_better=True,
        )
    enrolled("ada")
    enrolled("priya", Role.TA)


if __name__ == "__main__":
    main(sys.argv[1])
