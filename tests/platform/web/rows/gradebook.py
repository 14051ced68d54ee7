"""Rows of the gradebook: staff see everyone's grade and decide, a student sees their own."""

from __future__ import annotations

from gradebook.decisions.services import decide
from gradebook.models import Decision
from tests.platform.web.rows import STAFF, Row

MODELS = (Decision,)
STUDENTS = {"student", "classmate"}


def make(world, things):
    decision = decide(student=world.student, part=world.lab, points=None, reason="was ill", by=world.ta.user)
    return {"graded": world.student, "decision": decision}


def offering(things):
    return [things.offering.slug]


def own_part(things):
    return [things.offering.slug, f"lab:{things.lab.slug}"]


def student(things):
    return [things.offering.slug, things.more["graded"].pk]


def part(things):
    return [*student(things), f"lab:{things.lab.slug}"]


def points(_):
    return {"what": "points", "points": "5", "max_points": "10", "reason": "because"}


ROWS = {
    "grades-what-if": Row(STUDENTS, offering),
    "grades-part": Row(STUDENTS, own_part),
    "student-grade": Row(STAFF, student),
    "student-what-if": Row(STAFF, student),
    "student-part": Row(STAFF, part),
    "decision-make": Row(STAFF, part, "post", points, 302),
    "decision-withdraw": Row(STAFF, lambda things: [*student(things), things.more["decision"].pk], "post", found=302),
}
