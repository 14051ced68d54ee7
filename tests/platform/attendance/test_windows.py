"""Opening, extending and closing a check-in, and the screen that the class looks at."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from attendance.codes import code_at, spaced
from attendance.models import AttendanceRules, CheckInWindow
from attendance.records import leave_out, put_back
from attendance.scores import participation_scores
from attendance.screen import picture_of
from attendance.windows import WindowRefused, close_window, extend_window, open_window
from audit.models import AuditEvent
from tests.factories import SessionFactory, recorded
from tests.platform.attendance.conftest import START

pytestmark = pytest.mark.django_db


def test_opening_it_counts_the_session(room):
    window = open_window(session=room.session, minutes=10, by=room.ta.user)
    assert (window.opened_at, window.closes_at) == (START, START + timedelta(minutes=10))
    assert (window.opened_by, window.every_s) == (room.ta.user, 20)
    assert participation_scores(room.offering)[room.student.pk].absent == 1
    assert AuditEvent.objects.get().after == "2026-02-03: AutoDiff: 15:30:00 to 15:40:00"


def test_the_codes_last_as_long_as_the_rule_says(room):
    AttendanceRules.objects.create(offering=room.offering, code_every_s=45)
    assert open_window(session=room.session, minutes=10, by=room.ta.user).every_s == 45


def test_two_who_open_it_get_one(room):
    first = open_window(session=room.session, minutes=10, by=room.ta.user)
    assert open_window(session=room.session, minutes=30, by=room.instructor.user) == first
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("minutes", [0, -1, 181, 100_000])
def test_a_length_out_of_bounds_is_refused(room, minutes):
    with pytest.raises(WindowRefused, match="1 to 180 minutes"):
        open_window(session=room.session, minutes=minutes, by=room.ta.user)


def test_a_class_that_has_not_come_is_not_opened(room):
    coming = SessionFactory(offering=room.offering, date=START.date() + timedelta(days=1))
    with pytest.raises(WindowRefused, match="has not come yet"):
        open_window(session=coming, minutes=10, by=room.ta.user)


def test_the_day_is_the_offerings(room):
    """At 4 in the morning by UTC on the day after it is still the evening of the class in Chicago."""
    tomorrow = SessionFactory(offering=room.offering, date=START.date() + timedelta(days=1))
    room.after(6.5 * 3600)
    with pytest.raises(WindowRefused, match="has not come yet"):
        open_window(session=tomorrow, minutes=10, by=room.ta.user)


def test_a_session_that_was_left_out_is_not_opened(room):
    leave_out(session=room.session, reason="snow", by=room.instructor.user)
    with pytest.raises(WindowRefused, match="left out"):
        open_window(session=room.session, minutes=10, by=room.ta.user)
    put_back(session=room.session, by=room.instructor.user)
    assert open_window(session=room.session, minutes=10, by=room.ta.user)


def test_it_is_extended_from_its_end(room):
    open_window(session=room.session, minutes=10, by=room.ta.user)
    room.after(300)
    assert extend_window(session=room.session, minutes=5, by=room.ta.user).closes_at == START + timedelta(minutes=15)
    with pytest.raises(WindowRefused, match="3 hours"):
        extend_window(session=room.session, minutes=180, by=room.ta.user)
    room.after(900)
    with pytest.raises(WindowRefused, match="No check-in is open"):
        extend_window(session=room.session, minutes=5, by=room.ta.user)


def test_it_is_closed_at_once_and_those_who_are_in_stay_in(room):
    window = open_window(session=room.session, minutes=10, by=room.ta.user)
    recorded(room.session, room.student)
    room.student.attendances.update(window=window)
    moment = room.after(60)
    assert close_window(session=room.session, by=room.ta.user).closes_at == moment
    assert close_window(session=room.session, by=room.ta.user) is None
    found = participation_scores(room.offering)
    assert (found[room.student.pk].present, found[room.classmate.pk].absent) == (1, 1)
    assert list(AuditEvent.objects.order_by("pk").values_list("action", flat=True)) == [
        "opened a check-in",
        "closed a check-in",
    ]


def test_one_that_was_opened_by_mistake_leaves_nothing(room):
    open_window(session=room.session, minutes=10, by=room.ta.user)
    assert close_window(session=room.session, by=room.ta.user) is None
    assert not CheckInWindow.objects.exists()
    assert participation_scores(room.offering)[room.student.pk].share is None
    assert AuditEvent.objects.filter(action="took back a check-in").exists()


class TestScreen:
    @pytest.fixture
    def args(self, room):
        return [room.offering.slug, room.session.pk]

    def test_opening_leads_to_the_screen_with_code_and_picture(self, room, browser, args):
        staff = browser(room.ta)
        answer = staff.post(reverse("check-in-open", args=args), {"minutes": "10"})
        assert answer.url == reverse("check-in-screen", args=args)
        recorded(room.session, room.student)
        moment = room.after(125)
        page = staff.get(answer.url).content.decode()
        assert spaced(code_at(CheckInWindow.objects.get(), moment)) in page
        assert "<svg" in page
        assert "testserver/o/" in page
        assert re.search(r"<dt>Checked in</dt><dd>1 <small>of 2</small>", page)
        assert "<dt>Open for</dt><dd>7:55</dd>" in page
        assert "New letters in 15 s" in page

    def test_no_name_and_no_secret_stands_on_the_projector(self, room, browser, args):
        window = room.window()
        recorded(room.session, room.student)
        page = browser(room.ta).get(reverse("check-in-screen", args=args)).content.decode()
        for name in (room.student.user.name, room.student.user.email, room.classmate.user.name, window.secret):
            assert name not in page

    def test_the_part_that_changes_asks_again_just_after_the_code_does(self, room, browser, args):
        room.window()
        room.after(19)
        part = browser(room.ta).get(reverse("check-in-screen-now", args=args)).content.decode()
        assert "load delay:1050ms" in part
        assert "<html" not in part
        room.after(600)
        part = browser(room.ta).get(reverse("check-in-screen-now", args=args)).content.decode()
        assert "hx-get" not in part
        assert "Closed" in part

    def test_minutes_that_are_none_come_back(self, room, browser, args):
        for typed, words in (
            ("", "whole number"),
            ("ten", "whole number"),
            ("999", "1 to 180"),
            ("1e9", "whole number"),
        ):
            answer = browser(room.ta).post(reverse("check-in-open", args=args), {"minutes": typed})
            assert answer.status_code == 422
            assert words in answer.context["page"].refusal
            assert f'value="{typed}"' in answer.content.decode()
        assert not CheckInWindow.objects.exists()

    def test_extending_and_closing_from_the_screen(self, room, browser, args):
        staff, window = browser(room.ta), room.window()
        staff.post(reverse("check-in-extend", args=args), {"minutes": "5"})
        window.refresh_from_db()
        assert window.closes_at == START + timedelta(minutes=15)
        assert "whole number" in staff.post(reverse("check-in-extend", args=args), follow=True).content.decode()
        assert "nobody had checked in" in staff.post(reverse("check-in-close", args=args), follow=True).content.decode()

    def test_the_picture_is_one_path_of_modules_without_styles(self):
        svg = picture_of("http://testserver/o/cs/here/?code=BCDFGH")
        assert re.fullmatch(r'<svg viewBox="0 0 \d+ \d+" class="qr"><path stroke="#000" d="[Mmhv\d. -]+"/></svg>', svg)
