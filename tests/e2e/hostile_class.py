"""Hostile words of class meetings: sessions, attendance, and talks with what is said about them."""

from __future__ import annotations

from typing import Any

from attendance.models import Attendance, LeftOut, ParticipationPoint
from config import clock
from projects.models import Rating, Talk
from projects.presentations.models import Moderation
from projects.teams.selectors import team_of
from tests.factories import (
    SessionFactory,
    closed,
    opened,
    rated,
    staff_rated,
    talk,
    team,
)
from tests.platform.web.corpus import STORABLE


def session_topic(course: Any, n: int, text: str) -> None:
    SessionFactory(offering=course.offering, topic=text, part=text[:80], week=n + 1, week_label=text[:10])


def attendance_words(course: Any, n: int, text: str) -> None:
    """Reasons of a record, of points, of a session that is left out; all of them in the records of two students, too."""
    session = SessionFactory(offering=course.offering, topic=text, week=500 + n)
    if n % 2:
        LeftOut.objects.create(session=session, reason=text, left_out_at=clock.now())
    for student in {course.students[0].pk, course.students[n].pk}:
        Attendance.objects.create(
            session=session, enrollment_id=student, presence="excused", recorded_at=clock.now(), reason=text
        )
        ParticipationPoint.objects.create(
            enrollment_id=student, session=session, points=1, reason=text, given_at=clock.now()
        )


def talk_words(course: Any, n: int, text: str) -> None:
    """A talk of each student, rated by three others; the last one is open, every second other one was taken back."""
    student = course.students[n]
    made = team_of(student) or team(course.offering, student)
    made.name = f"{n} {text}"[:80]
    made.topic = text[:300]
    made.save()
    about = opened(talk(made, position=n + 1), course.instructor)
    for step in (1, 2, 3):
        rated(about, course.students[(n + step) % len(course.students)], 4, text[:1000])
    staff_rated(about, course.instructor, comment=text)
    Rating.objects.filter(talk=about).update(moderation=Moderation.SHOWN)
    course.talks[n] = about
    if n < len(STORABLE) - 1:
        closed(about, course.instructor)
        told = {"taken_back_at": clock.now(), "taken_back_reason": text} if n % 2 else {"released_at": clock.now()}
        Talk.objects.filter(pk=about.pk).update(**told)
