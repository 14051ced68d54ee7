"""What staff record: one student or many, with a reason, and never without a line in the log."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from attendance.models import Attendance, LeftOut, Presence
from attendance.records import RecordRefused, leave_out, put_back, record_presence
from attendance.scores import participation_scores
from audit.models import AuditEvent
from tests.factories import SessionFactory, person, recorded
from tests.platform.attendance.conftest import START

pytestmark = pytest.mark.django_db


@pytest.fixture
def record(room):
    def do(presence=Presence.PRESENT, who=None, sessions=None, reason="roll call"):
        return record_presence(
            sessions=sessions or [room.session],
            enrollments=who or [room.student],
            presence=presence,
            reason=reason,
            by=room.ta.user,
        )

    return do


def test_staff_record_somebody_with_a_reason(room, record):
    assert record().changed == 1
    row = Attendance.objects.get()
    assert (row.presence, row.reason, row.recorded_by, row.window) == ("present", "roll call", room.ta.user, None)
    event = AuditEvent.objects.get()
    assert (event.before, event.after, event.reason) == (
        "Ada Lindqvist, 2026-02-03: AutoDiff: nothing recorded",
        "Ada Lindqvist, 2026-02-03: AutoDiff: Present",
        "roll call",
    )


def test_a_correction_replaces_what_a_code_said(room, record):
    Attendance.objects.create(
        session=room.session, enrollment=room.student, presence="present", window=room.window(), recorded_at=START
    )
    record(Presence.ABSENT, reason="a friend typed the code")
    row = Attendance.objects.get()
    assert (row.presence, row.window) == ("absent", None)
    assert AuditEvent.objects.get().before.endswith("Present, by the code")


def test_the_same_again_changes_nothing(record):
    record()
    again = record(reason="another reason")
    assert (again.changed, again.same) == (0, 1)
    assert Attendance.objects.get().reason == "roll call"
    assert AuditEvent.objects.count() == 1


def test_a_record_that_was_wrong_is_removed(room, record):
    record(Presence.EXCUSED)
    assert record(None, reason="wrong student").changed == 1
    assert record(None, reason="wrong student").same == 1
    assert not Attendance.objects.exists()
    assert AuditEvent.objects.latest("pk").after.endswith("nothing recorded")


def test_many_students_in_many_sessions_are_one_act(room, record):
    sessions = [room.session, SessionFactory(offering=room.offering, week=9, date=START.date() - timedelta(days=2))]
    people = [person(room.offering) for _ in range(12)]
    recorded(room.session, people[0], "present")
    made = record(Presence.EXCUSED, people, sessions, "field trip")
    assert (made.changed, made.same) == (24, 0)
    assert set(Attendance.objects.values_list("presence", flat=True)) == {"excused"}
    assert AuditEvent.objects.count() == 24


def test_excuses_are_given_in_advance_and_nothing_else(room, record):
    coming = [SessionFactory(offering=room.offering, week=9, date=START.date() + timedelta(days=1))]
    for presence in (Presence.PRESENT, Presence.ABSENT):
        with pytest.raises(RecordRefused, match=r"class on 4 February has not come yet"):
            record(presence, sessions=coming)
    record(Presence.EXCUSED, sessions=coming)
    found = participation_scores(room.offering)
    assert found[room.student.pk].counted == found[room.classmate.pk].counted == 0


@pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 2001])
def test_no_reason_no_record(record, reason):
    with pytest.raises(RecordRefused):
        record(reason=reason)
    assert not Attendance.objects.exists()


def test_more_than_anybody_means_is_refused(room, record):
    with pytest.raises(RecordRefused, match="more than 3000"):
        record(who=[room.student] * 1501, sessions=[room.session] * 2)


def test_leaving_a_session_out_and_back(room):
    assert leave_out(session=room.session, reason="snow", by=room.instructor.user)
    assert not leave_out(session=room.session, reason="again", by=room.instructor.user)
    assert LeftOut.objects.get().reason == "snow"
    assert put_back(session=room.session, by=room.instructor.user)
    assert not put_back(session=room.session, by=room.instructor.user)
    assert AuditEvent.objects.count() == 2
    with pytest.raises(RecordRefused):
        leave_out(session=room.session, reason=" ", by=room.instructor.user)


class TestPages:
    @pytest.fixture
    def url(self, room):
        return reverse("attendance-record", args=[room.offering.slug])

    @pytest.fixture
    def data(self, room):
        return {"sessions": [room.session.pk], "presence": "excused", "reason": "field trip"}

    @pytest.fixture
    def sends(self, room, browser, url, data):
        return lambda change: browser(room.ta).post(url, data | {"students": [room.student.pk]} | change)

    def test_addresses_are_pasted(self, room, browser, url, data):
        pasted = f"\n {room.student.user.email.upper()} \n\n{room.classmate.user.email}\n"
        answer = browser(room.ta).post(url, data | {"addresses": pasted}, follow=True)
        assert "2 records changed." in answer.content.decode()
        assert Attendance.objects.filter(presence="excused").count() == 2

    def test_a_line_that_names_nobody_is_told_and_nothing_is_recorded(self, world, room, browser, url, data):
        pasted = f"{room.student.user.email}\nnobody@example.edu\n{world.dropped.user.email}\n{room.ta.user.email}"
        answer = browser(room.ta).post(url, data | {"addresses": pasted})
        assert answer.status_code == 422
        text = answer.content.decode()
        assert "3 lines name no student of this offering: line 2: nobody@example.edu; line 3:" in text
        assert f"{room.student.user.email}\nnobody@example.edu\n" in text.partition("<textarea")[2]
        assert "field trip" in text
        assert not Attendance.objects.exists()

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"sessions": []}, "choose at least one session"),
            ({"sessions": ["x"]}, "not in this offering any more"),
            ({"sessions": ["999999999999999999999"]}, "not in this offering any more"),
            ({"students": ["0"]}, "not in this offering any more"),
            ({"students": []}, "choose at least one student"),
            ({"presence": "asleep"}, "choose present, absent or excused"),
            ({"presence": ""}, "choose present, absent or excused"),
            ({"reason": ""}, "give a reason"),
            ({"reason": "x"}, "at least 3 letters"),
            ({"reason": "x" * 2001}, "below 2,000"),
            ({"addresses": "a\n" * 1001}, "more than 1000 lines"),
            ({"addresses": "\x00"}, "Null characters"),
        ],
    )
    def test_bad_input_gets_a_sentence(self, sends, change, words):
        answer = sends(change)
        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert not Attendance.objects.exists()

    def test_the_address_chooses_session_or_student(self, room, browser):
        url = reverse("attendance-correct", args=[room.offering.slug])
        form = browser(room.ta).get(url, {"session": room.session.pk}).context["page"].form
        assert form.initial["sessions"] == [room.session.pk]
        page = browser(room.ta).get(url, {"student": room.student.pk}).context["page"]
        assert (page.form.initial["students"], page.back) == ([room.student.pk], "student")
        for nonsense in ({"session": "x"}, {"student": "-1"}, {"student": "²"}):
            assert browser(room.ta).get(url, nonsense).status_code == 200

    def test_the_way_back_is_where_one_came_from(self, room, browser, url, data):
        data |= {"students": [room.student.pk]}
        here = [room.offering.slug]
        assert browser(room.ta).post(url, data).url == reverse("attendance-session", args=[*here, room.session.pk])
        back = browser(room.ta).post(url, data | {"back": "student"}).url
        assert back == reverse("attendance-student", args=[*here, room.student.pk])
        data["sessions"] = [room.session.pk, SessionFactory(offering=room.offering, date=START.date()).pk]
        assert browser(room.ta).post(url, data).url == reverse("attendance", args=here)

    def test_a_student_of_another_offering_is_none_here(self, world, room, browser, url, data):
        answer = browser(room.ta).post(url, data | {"students": [world.other_student.pk]})
        assert answer.status_code == 422

    def test_leaving_out_needs_a_reason_and_keeps_what_was_typed(self, room, browser):
        url = reverse("session-leave-out", args=[room.offering.slug, room.session.pk])
        answer = browser(room.instructor).post(url, {"reason": "ab"})
        assert answer.status_code == 422
        assert 'value="ab"' in answer.content.decode()
        browser(room.instructor).post(url, {"reason": "snow"})
        assert LeftOut.objects.get().reason == "snow"
