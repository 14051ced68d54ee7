"""A phone checks in: once, in time, by somebody who is in the course, and not by trying."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from attendance.check_in import SCAN_COUNTS_FOR
from attendance.codes import code_at, code_of, spaced
from attendance.models import Attendance
from attendance.records import leave_out
from audit.models import AuditEvent
from tests.factories import SessionFactory, recorded
from tests.platform.attendance.conftest import START

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(room):
    return reverse("here", args=[room.offering.slug])


def types(client, url, code, **more):
    return client.post(f"{url}check-in/", {"code": code}, **more)


def told(response) -> str:
    assert response.status_code == 422
    return response.context["page"].refusal


def test_a_student_types_the_code_and_is_in(room, browser, url):
    window, phone = room.window(), browser(room.student)
    moment = room.after(65)
    answer = types(phone, url, spaced(code_at(window, moment)).lower())
    assert answer.status_code == 302
    assert "You are in." in phone.get(url).content.decode()
    row = Attendance.objects.get()
    assert (row.session, row.enrollment, row.presence, row.window) == (room.session, room.student, "present", window)
    assert row.recorded_at == moment
    assert row.recorded_by is None


def test_a_second_tap_changes_nothing(room, browser, url):
    window, phone = room.window(), browser(room.student)
    types(phone, url, code_at(window, room.after(1)))
    again = types(phone, url, code_at(window, room.after(30)), follow=True)
    assert "checked in already" in again.content.decode()
    assert Attendance.objects.get().recorded_at == START + timedelta(seconds=1)


def test_whoever_is_in_one_session_checks_in_to_another_that_is_open_too(room, browser, url):
    other = SessionFactory(offering=room.offering, date=START.date(), topic="Compilers")
    first, second, phone = room.window(), room.window(other), browser(room.student)
    types(phone, url, code_at(first, room.after(1)))
    page = phone.get(url).content.decode()
    assert "You are in." in page
    assert "Also open: Compilers" in page
    assert "not the code on the screen" in told(types(phone, url, "BBBBBB"))
    types(phone, url, code_at(second, room.after(2)))
    assert set(Attendance.objects.values_list("session", "presence")) == {
        (room.session.pk, "present"),
        (other.pk, "present"),
    }
    assert 'name="code"' not in phone.get(url).content.decode()
    assert "checked in already" in types(phone, url, "BBBBBB", follow=True).content.decode()


def test_a_session_that_was_left_out_asks_nobody_who_is_in_for_a_code(room, browser, url):
    other = SessionFactory(offering=room.offering, date=START.date(), topic="Compilers")
    first, phone = room.window(), browser(room.student)
    room.window(other)
    leave_out(session=other, reason="cancelled", by=room.instructor.user)
    types(phone, url, code_at(first, room.after(1)))
    assert 'name="code"' not in phone.get(url).content.decode()


def test_a_second_check_in_of_the_session_finds_those_who_are_in(room, browser, url):
    first, phone = room.window(minutes=1), browser(room.student)
    types(phone, url, code_at(first, room.after(1)))
    second = room.window(opened_at=START + timedelta(minutes=30))
    types(phone, url, code_at(second, room.after(1800)))
    assert Attendance.objects.get().window == first


def test_a_refusal_keeps_what_was_typed(room, browser, url):
    room.window()
    answer = types(browser(room.student), url, "bcd fgh")
    assert "not the code on the screen" in told(answer)
    assert 'value="bcd fgh"' in answer.content.decode()
    assert not Attendance.objects.exists()


@pytest.mark.parametrize("text", ["", " ", "x" * 61, "\x00", "<b>", "BCD\u202eFGH"])
def test_bad_input_gets_a_sentence(room, browser, url, text):
    room.window()
    assert told(types(browser(room.student), url, text))
    assert told(browser(room.student).post(f"{url}check-in/"))


def test_who_dropped_strangers_and_staff_find_no_such_page(world, room, browser, url):
    window = room.window()
    for who in (world.dropped, world.stranger, world.other_student, room.ta, room.instructor):
        assert browser(who).get(url).status_code == 404
        assert types(browser(who), url, code_at(window, START)).status_code == 404
    assert not Attendance.objects.exists()


def test_a_code_does_not_undo_what_staff_recorded(room, browser, url):
    window = room.window()
    recorded(room.session, room.student, "absent", reason="left after five minutes")
    answer = types(browser(room.student), url, code_at(window, START))
    assert "“left after five minutes”" in told(answer)
    assert Attendance.objects.get().presence == "absent"


def test_who_comes_though_excused_is_present_and_the_log_says_so(room, browser, url):
    window = room.window()
    recorded(room.session, room.student, "excused", reason="travels")
    assert types(browser(room.student), url, code_at(window, START)).status_code == 302
    row = Attendance.objects.get()
    assert (row.presence, row.window, row.reason) == ("present", window, "")
    assert AuditEvent.objects.get().action == "checked in though excused"


def test_a_session_that_was_left_out_takes_nobody(room, browser, url):
    window = room.window()
    leave_out(session=room.session, reason="fire alarm", by=room.instructor.user)
    assert "does not count" in told(types(browser(room.student), url, code_at(window, START)))


def test_a_scanned_code_stands_in_the_form_and_goes_off_by_itself(room, browser, url):
    window = room.window()
    page = browser(room.student).get(url, {"code": code_at(window, START)}).content.decode()
    assert f'value="{spaced(code_at(window, START))}"' in page
    assert "data-send" in page
    assert not Attendance.objects.exists()  # looking changes nothing
    assert "data-send" not in browser(room.student).get(url).content.decode()
    assert "data-send" not in browser(room.student).get(url, {"code": "<nonsense>"}).content.decode()


class TestScanBeforeSignIn:
    @pytest.fixture
    def phone(self, browser):
        return browser(None)

    @pytest.fixture
    def scan(self, room, phone, url):
        """Scan at a moment, and sign in later: where the phone lands, with its code."""

        def do(window, seconds, later):
            answer = phone.get(url, {"code": code_at(window, room.after(seconds))})
            assert answer.status_code == 302
            target = parse_qs(urlsplit(answer.url).query)["next"][0]
            phone.force_login(room.student.user)
            room.after(later)
            page = phone.get(target).context["page"]
            assert page.send
            return types(phone, url, page.code)

        return do

    def test_the_code_counts_as_of_the_scan(self, room, scan):
        assert scan(room.window(), 30, 200).status_code == 302
        assert Attendance.objects.get().presence == "present"

    def test_even_when_the_check_in_has_closed_meanwhile(self, room, scan):
        assert scan(room.window(minutes=1), 55, 120).status_code == 302

    def test_but_for_five_minutes_only(self, room, scan):
        assert "run out" in told(scan(room.window(), 30, 31 + SCAN_COUNTS_FOR.total_seconds()))

    def test_and_for_that_code_only(self, room, phone, url):
        window = room.window()
        phone.get(url, {"code": code_at(window, room.after(1))})
        phone.force_login(room.student.user)
        room.after(250)
        assert "run out" in told(types(phone, url, code_of(window.secret, 3)))

    def test_a_cookie_that_somebody_made_is_none(self, room, phone, url):
        window = room.window()
        code = code_at(window, START)
        phone.cookies["scan"] = f"{code}.{START.timestamp()}:forged"
        phone.force_login(room.student.user)
        room.after(100)
        assert "run out" in told(types(phone, url, code))

    def test_nothing_is_told_about_a_code_before_the_sign_in(self, room, phone, url):
        window = room.window()
        right, wrong = (phone.get(url, {"code": code}) for code in (code_at(window, START), "BCDFGH"))
        assert right.status_code == wrong.status_code == 302
        assert len(right.cookies["scan"].value) == len(wrong.cookies["scan"].value)

    def test_without_a_code_nothing_is_kept(self, phone, url):
        assert "scan" not in phone.get(url).cookies
        assert "scan" not in phone.get(url, {"code": "x" * 5000}).cookies


class TestTrying:
    def test_the_eleventh_try_is_not_looked_at_and_the_wait_is_said(self, room, browser, url):
        window, phone = room.window(), browser(room.student)
        room.after(60)  # 21:31:00, a minute into a stretch of five
        for _ in range(10):
            assert "not the code" in told(types(phone, url, "BCDFGH"))
        right = code_at(window, room.after(61))
        answer = told(types(phone, url, right))
        assert "more than 10 tries from you" in answer
        assert "Wait 4 minutes" in answer
        room.after(299)
        assert "Wait 1 minute," in told(types(phone, url, right))
        assert not Attendance.objects.exists()
        assert types(phone, url, code_at(window, room.after(300))).status_code == 302

    def test_one_person_does_not_lock_another_out(self, room, browser, url):
        window = room.window()
        for _ in range(12):
            types(browser(room.student), url, "BCDFGH")
        assert types(browser(room.classmate), url, code_at(window, START)).status_code == 302

    def test_an_address_that_tries_for_many_is_stopped(self, room, browser, url, settings):
        settings.CHECK_IN_ADDRESS_TRIES = 3
        window = room.window()
        for _ in range(3):
            types(browser(room.student), url, "BCDFGH", REMOTE_ADDR="10.0.0.1")
        right = code_at(window, START)
        assert "your network" in told(types(browser(room.classmate), url, right, REMOTE_ADDR="10.0.0.1"))
        assert types(browser(room.classmate), url, right, REMOTE_ADDR="10.0.0.2").status_code == 302

    def test_right_codes_of_a_whole_class_behind_one_address_are_no_tries(self, room, browser, url, settings):
        from tests.factories import person

        settings.CHECK_IN_ADDRESS_TRIES = 2
        window = room.window()
        for n in range(6):
            student = person(room.offering, name=f"Student {n}")
            assert types(browser(student), url, code_at(window, START), REMOTE_ADDR="10.0.0.1").status_code == 302

    def test_whoever_is_in_may_tap_as_often_as_they_like(self, room, browser, url):
        window, phone = room.window(), browser(room.student)
        for _ in range(15):
            assert types(phone, url, code_at(window, START)).status_code == 302

    def test_without_a_cache_codes_are_looked_at(self, room, browser, url, monkeypatch):
        from django.core.cache import cache

        from config.redis import Unavailable

        def fail(*_args, **_more):
            raise Unavailable("down")

        for name in ("add", "incr", "decr"):
            monkeypatch.setattr(cache, name, fail)
        assert types(browser(room.student), url, code_at(room.window(), START)).status_code == 302
