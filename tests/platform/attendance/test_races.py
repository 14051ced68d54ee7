"""Sixty students check in at the same moment, each with two taps: none is lost and none is double, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest

from attendance.models import CheckInWindow
from attendance.records import Recorded
from attendance.windows import open_window
from tests.platform.attendance import racing

EACH_TWICE = 2 * racing.STUDENTS


@pytest.mark.django_db(transaction=True)
def test_a_class_that_checks_in_at_once_is_all_in():
    crowd = racing.a_class()
    assert racing.at_once(racing.taps(crowd)) == [302] * EACH_TWICE
    assert racing.rows(crowd) == [(student.pk, "present") for student in crowd.students]


@pytest.mark.django_db(transaction=True)
def test_staff_who_record_the_class_at_the_same_moment_lose_nobody():
    crowd = racing.a_class()
    *statuses, staff = racing.at_once([*racing.taps(crowd), *racing.records(crowd)])
    assert statuses == [302] * EACH_TWICE
    assert isinstance(staff, Recorded)
    assert racing.rows(crowd) == [(student.pk, "present") for student in crowd.students]


@pytest.mark.django_db(transaction=True)
def test_two_who_open_the_check_in_at_once_open_one():
    crowd = racing.a_class()
    CheckInWindow.objects.all().delete()
    opening = [lambda: open_window(session=crowd.session, minutes=10, by=crowd.ta.user).pk] * 6
    assert len(set(racing.at_once(opening))) == 1
    assert CheckInWindow.objects.count() == 1


def test_the_same_on_postgresql(on_postgresql):
    # the server has 100 connections, and 121 threads want one
    told = on_postgresql(racing, GRADLAB_DATABASE_POOL="40")
    assert told["statuses"] == told["with staff"] == {"302": EACH_TWICE}
    assert told["rows"] == [[pk, "present"] for pk in sorted(told["expected"])]
    assert "Recorded(" in told["staff"]
    assert [presence for _, presence in told["rows with staff"]] == ["present"] * racing.STUDENTS
    assert told["closing"]["done"] == ["in", "True"]
    assert told["closing"]["rows"] == [[told["closing"]["first"], "present"]]
