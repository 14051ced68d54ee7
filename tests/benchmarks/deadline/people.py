"""Run inside the site's environment: a course, its students, and a session for each, written as a sign-in would write them.

Signing in costs one argon2 hash a person, on purpose; 600 of them would measure nothing but that. So nobody here has a password.
Prints one JSON object a visitor.
"""

from __future__ import annotations

import argparse
import json
import secrets
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import django

django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402

from accounts.models import User  # noqa: E402
from assignments.models import Assignment, Kind  # noqa: E402
from assignments.services import assign_lab, publish_lab  # noqa: E402
from config import clock  # noqa: E402
from courses.models import Course, Enrollment, Offering, Role  # noqa: E402
from reviews.services import sync_rubric  # noqa: E402
from tests.benchmarks.deadline.history import hand_in_history  # noqa: E402
from tests.benchmarks.deadline.names import LAB, OFFERING  # noqa: E402

TINY = Path(__file__).resolve().parents[2] / "grader" / "tiny_lab"
BACKEND = "django.contrib.auth.backends.ModelBackend"


def lab() -> Assignment:
    """The one lab, due tomorrow."""
    course, _ = Course.objects.get_or_create(code="CS 498", defaults={"title": "Machine Learning System"})
    offering, _ = Offering.objects.get_or_create(
        slug=OFFERING,
        defaults={
            "course": course,
            "term": "Spring",
            "starts_on": date.today(),  # noqa: DTZ011 - any day does
            "ends_on": date.today() + timedelta(days=90),  # noqa: DTZ011
        },
    )
    now = clock.now()
    made, created = Assignment.objects.get_or_create(
        offering=offering,
        slug=LAB,
        defaults={
            "kind": Kind.LAB,
            "number": 1,
            "title": "Tiny",
            "opens_at": now - timedelta(days=7),
            "due_at": now + timedelta(days=1),
            "points": Decimal(10),
        },
    )
    if created:
        sync_rubric(assignment=assign_lab(assignment=made, lab=publish_lab(TINY)))
    return made


def enroll(offering: Offering, names: list[str], role: str) -> list[Enrollment]:
    """People nobody can sign in as, in the offering."""
    users = User.objects.bulk_create(
        User(email=f"{name}@example.edu", name=name, sort_name=name, password="!") for name in names
    )
    return Enrollment.objects.bulk_create(Enrollment(offering=offering, user=user, role=role) for user in users)


def sign_in(enrollments: list[Enrollment]) -> dict[str, str]:
    """A session for each, by e-mail address."""
    ends, store = clock.now() + timedelta(days=1), SessionStore()
    sessions = {}
    for enrollment in enrollments:
        user = enrollment.user
        content = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: BACKEND,
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
        sessions[user.email] = Session(secrets.token_hex(16), store.encode(content), ends)
    Session.objects.bulk_create(sessions.values())
    return {email: session.pk for email, session in sessions.items()}


def main() -> None:
    """Enroll, sign in, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, required=True)
    parser.add_argument("--submissions", type=int, default=0, help="graded submissions that each of them has already")
    chosen = parser.parse_args()
    assignment = lab()
    first = User.objects.count()
    students = enroll(
        assignment.offering, [f"student-{first + number}" for number in range(chosen.students)], Role.STUDENT
    )
    hand_in_history(assignment, students, chosen.submissions)
    staff = enroll(assignment.offering, [f"instructor-{first}"], Role.INSTRUCTOR)
    for email, session in sign_in([*students, *staff]).items():
        print(json.dumps({"email": email, "session": session}))


if __name__ == "__main__":
    main()
