"""The demo's class: it looks like one, and is the same every time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from attendance.models import Attendance, LeftOut, ParticipationPoint
from attendance.scores import participation_scores
from web.seed.attendance import AWAY_LAST_TIME, seed_attendance
from web.seed.course import seed_course
from web.seed.people import seed_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def course(at):
    at(datetime(2026, 2, 19, 1, 41, tzinfo=UTC))
    offering = seed_course()
    return offering, seed_people(offering, "a long password")


def test_every_session_that_came_was_taken_but_the_cancelled_one(course):
    offering, students = course
    seed_attendance(offering, students)
    found = participation_scores(offering)
    assert {score.counted + score.excused for score in found.values()} == {8}
    assert LeftOut.objects.count() == 1
    shares = [score.share for score in found.values()]
    assert len(set(shares)) > 8
    assert sum(score.present for score in found.values()) > 8 * 40 * 0.7
    assert ParticipationPoint.objects.count() == 8 * 9
    assert {"present", "excused"} == set(Attendance.objects.values_list("presence", flat=True))


def test_some_missed_the_last_session_and_may_still_check_in(course):
    offering, students = course
    seed_attendance(offering, students)
    last = Attendance.objects.order_by("-session__date").first().session
    for place in AWAY_LAST_TIME:
        assert not Attendance.objects.filter(session=last, enrollment=students[place], presence="present").exists()


def test_a_second_time_makes_none(course):
    offering, students = course
    made = seed_attendance(offering, students)
    before = list(Attendance.objects.order_by("pk").values())
    assert made == len(before)
    assert seed_attendance(offering, students) == 0
    assert list(Attendance.objects.order_by("pk").values()) == before
