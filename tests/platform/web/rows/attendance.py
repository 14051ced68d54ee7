"""Rows of attendance: students check in and see themselves, staff take attendance, instructors set the rule."""

from __future__ import annotations

from decimal import Decimal

from attendance.models import Attendance, AttendanceRules, CheckInWindow, LeftOut, ParticipationPoint
from attendance.rules import WantedRules, dry_run
from config import clock
from tests.factories import SessionFactory, check_in_window, recorded
from tests.platform.web.rows import MEMBERS, STAFF, Row

MODELS = (Attendance, AttendanceRules, CheckInWindow, LeftOut, ParticipationPoint)
STUDENTS = {"student", "classmate"}
INSTRUCTOR = {"instructor"}
RULES = {"free_absences": "1", "participation_share": "0", "participation_target": "10", "code_every_s": "20"}


def make(world, things):
    """A session that is open, one that is not and one that was left out."""
    session, other, out = (SessionFactory(offering=world.offering) for _ in range(3))
    recorded(session, world.classmate)
    points = ParticipationPoint.objects.create(
        enrollment=world.student, points=Decimal(1), reason="asked", given_at=clock.now()
    )
    LeftOut.objects.create(session=out, reason="snow", left_out_at=clock.now())
    check_in_window(session)
    wanted = WantedRules(1, 0, Decimal(10), 20)
    return {
        "open": session,
        "other session": other,
        "out": out,
        "attendee": world.student,
        "point": points,
        "seen": dry_run(offering=world.offering, wanted=wanted).digest,
    }


def offering(things):
    return [things.offering.slug]


def one(name):
    return lambda things: [things.offering.slug, things.more[name].pk]


def correction(things):
    who = [things.more["attendee"].pk]
    return {"sessions": [things.more["open"].pk], "students": who, "presence": "excused", "reason": "was ill"}


def why(_):
    return {"reason": "because"}


ROWS = {
    "here": Row(STUDENTS, offering),
    # an empty post is refused with a sentence
    "check-in": Row(STUDENTS, offering, "post", found=422),
    "attendance": Row(MEMBERS, offering),
    "attendance-sessions": Row(STAFF, offering),
    "attendance-session": Row(STAFF, one("open")),
    "check-in-open": Row(STAFF, one("other session"), "post", lambda _: {"minutes": "10"}, 302),
    "check-in-extend": Row(STAFF, one("open"), "post", lambda _: {"minutes": "5"}, 302),
    "check-in-close": Row(STAFF, one("open"), "post", found=302),
    "check-in-screen": Row(STAFF, one("open")),
    "check-in-screen-now": Row(STAFF, one("open")),
    "session-leave-out": Row(INSTRUCTOR, one("open"), "post", why, 302),
    "session-put-back": Row(INSTRUCTOR, one("out"), "post", found=302),
    "attendance-student": Row(STAFF, one("attendee")),
    "attendance-correct": Row(STAFF, offering),
    "attendance-record": Row(STAFF, offering, "post", correction, 302, frozenset({"addresses", "back"})),
    "participation": Row(STAFF, offering),
    "participation-give": Row(
        STAFF,
        offering,
        "post",
        lambda things: {"student": things.more["attendee"].pk, "points": "1", "reason": "asked"},
        302,
        frozenset({"q"}),
    ),
    "participation-withdraw": Row(STAFF, one("point"), "post", why, 302),
    "attendance-rules": Row(STAFF, offering),
    "attendance-rules-dry-run": Row(INSTRUCTOR, offering, "post", lambda _: RULES, fields=frozenset({"edit"})),
    "attendance-rules-save": Row(
        INSTRUCTOR,
        offering,
        "post",
        lambda things: RULES | {"reason": "as voted", "seen": things.more["seen"]},
        302,
    ),
}
