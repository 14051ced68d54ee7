"""`python -m tests.chaos.seed`: an offering with one lab and many students, who share a password."""

from __future__ import annotations

from datetime import date, timedelta

import django

OFFERING, ASSIGNMENT, PASSWORD, STUDENTS = "chaos", "chaos", "order out of chaos", 300


def address(number: int) -> str:
    """Of a student."""
    return f"student-{number}@example.edu"


def main() -> None:
    """Make them; the lab is published by its own command afterwards."""
    django.setup()
    from django.contrib.auth.hashers import make_password

    from accounts.models import User
    from assignments.models import Assignment, Kind
    from config import clock
    from courses.models import Course, Enrollment, Offering, Role

    course = Course.objects.create(code="CHAOS", title="Things that break")
    offering = Offering.objects.create(
        course=course, slug=OFFERING, term="Now", starts_on=date(2026, 1, 1), ends_on=date(2036, 1, 1)
    )
    now = clock.now()
    Assignment.objects.create(
        offering=offering,
        kind=Kind.LAB,
        slug=ASSIGNMENT,
        number=1,
        title="Chaos",
        opens_at=now - timedelta(days=7),
        due_at=now + timedelta(days=7),
    )
    password = make_password(PASSWORD)
    users = [User(email=address(n), name=f"Student {n}", sort_name=f"{n}", password=password) for n in range(STUDENTS)]
    User.objects.bulk_create(users)
    made = User.objects.order_by("pk")
    Enrollment.objects.bulk_create(Enrollment(offering=offering, user=user, role=Role.STUDENT) for user in made)


if __name__ == "__main__":
    main()
