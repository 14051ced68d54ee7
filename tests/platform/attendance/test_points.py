"""Participation points: given in a second, never twice by one tap, and withdrawn with a reason."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from attendance.models import ParticipationPoint
from attendance.points import give_points, withdraw_points
from attendance.records import RecordRefused
from attendance.scores import participation_scores
from audit.models import AuditEvent
from tests.factories import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def give(room):
    def do(points="1", reason="asked why", by=None):
        return give_points(enrollment=room.student, points=Decimal(points), reason=reason, by=(by or room.ta).user)

    return do


def test_points_belong_to_todays_session(room, give):
    made = give("1.5")
    assert (made.points, made.session, made.given_by) == (Decimal("1.5"), room.session, room.ta.user)
    assert AuditEvent.objects.get().after == "Ada Lindqvist: 1.5 for “asked why”"
    room.after(24 * 3600)
    assert give("2").session is None


def test_a_finger_that_taps_twice_gives_once(room, give):
    first = give()
    room.after(2)
    assert give() == first
    assert give("2") != first
    assert give(by=room.instructor) != first
    room.after(4)
    assert give() != first
    assert ParticipationPoint.objects.count() == 4


def test_what_was_withdrawn_counts_no_more(room, give):
    made = give()
    assert participation_scores(room.offering)[room.student.pk].points == 1
    assert withdraw_points(point=made, reason="wrong name", by=room.instructor.user)
    assert not withdraw_points(point=made, reason="wrong name", by=room.instructor.user)
    assert participation_scores(room.offering)[room.student.pk].points == 0
    made.refresh_from_db()
    assert made.withdrawn_by == room.instructor.user
    assert AuditEvent.objects.latest("pk").reason == "wrong name"


def test_a_tap_right_after_a_withdrawal_is_meant(give, room):
    withdraw_points(point=give(), reason="wrong name", by=room.ta.user)
    give()
    assert ParticipationPoint.objects.standing().count() == 1


@pytest.mark.parametrize(("points", "reason"), [("0", "why"), ("-1", "why"), ("101", "why"), ("1", ""), ("1", "  a ")])
def test_what_makes_no_sense_is_refused(give, points, reason):
    with pytest.raises(RecordRefused):
        give(points, reason)
    assert not ParticipationPoint.objects.exists()


class TestPage:
    @pytest.fixture
    def url(self, room):
        return reverse("participation", args=[room.offering.slug])

    def test_find_a_name_and_give(self, room, browser, url):
        staff = browser(room.ta)
        page = staff.get(url, {"q": "lindq"}).context["page"]
        assert page.found == (room.student,)
        answer = staff.post(f"{url}give/", {"student": room.student.pk, "points": "0.50", "reason": "asked"})
        assert answer.url == f"{url}?points=0.5&reason=asked"
        page = staff.get(answer.url)
        assert "Ada Lindqvist has 0.5 more." in page.content.decode()
        assert 'value="asked"' in page.content.decode()

    def test_only_some_are_shown_and_the_rest_is_counted(self, room, browser, url):
        for n in range(14):
            person(room.offering, name=f"Namesake {n}")
        page = browser(room.ta).get(url, {"q": "namesake"}).context["page"]
        assert (len(page.found), page.more) == (12, 2)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"student": ""}, "not in this offering"),
            ({"student": "x"}, "not in this offering"),
            ({"student": "99999999999999999999"}, "not in this offering"),
            ({"points": ""}, "as a number"),
            ({"points": "nan"}, "as a number"),
            ({"points": "-1"}, "more than 0"),
            ({"points": "0"}, "more than 0"),
            ({"points": "0.001"}, "two decimals"),
            ({"points": "1e9"}, "two decimals"),
            ({"points": "101"}, "at most 100"),
            ({"reason": ""}, "give a reason"),
            ({"reason": "ab"}, "at least 3 letters"),
            ({"reason": "x" * 301}, "below 300"),
        ],
    )
    def test_bad_input_gets_a_sentence_and_loses_nothing(self, room, browser, url, change, words):
        data = {"student": room.student.pk, "points": "1", "reason": "asked", "q": "Ada"} | change
        answer = browser(room.ta).post(f"{url}give/", data)
        assert answer.status_code == 422
        text = answer.content.decode()
        assert words in text
        assert f'value="{data["reason"]}"' in text or not data["reason"]
        assert 'value="Ada"' in text
        assert not ParticipationPoint.objects.exists()

    def test_withdrawing_needs_a_reason(self, room, browser, give):
        made = give()
        url = reverse("participation-withdraw", args=[room.offering.slug, made.pk])
        assert "at least 3 letters" in browser(room.ta).post(url, {"reason": ""}, follow=True).content.decode()
        assert "Withdrawn." in browser(room.ta).post(url, {"reason": "wrong name"}, follow=True).content.decode()
        assert "already" in browser(room.ta).post(url, {"reason": "wrong name"}, follow=True).content.decode()
