"""The due second through the front door: around both changes of the clock, for students in other zones, with and without grants."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from assignments.due.models import Accommodation
from submissions.models import Submission
from tests.factories import RIGHT, ExtensionFactory

pytestmark = pytest.mark.django_db
KOLKATA, BERLIN = ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")
# around the due second: (how far, accepted)
AROUND = [(-1, True), (0, True), (0.999, True), (1, False)]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.fixture
def due(world):
    def move(moment: datetime) -> None:
        world.lab.opens_at, world.lab.due_at = moment - timedelta(days=7), moment
        world.lab.save()

    return move


def hand_in(client, world):
    url = reverse("lab-submit", args=[world.offering.slug, world.lab.slug])
    return client.post(url, {"files": [SimpleUploadedFile("work.py", RIGHT.encode())]})


@pytest.mark.parametrize(("seconds", "accepted"), AROUND)
@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (utc(2026, 3, 8, 5, 59, 59), ("Sat 7 Mar 2026, 23:59:59 CST", "Sun 8 Mar 2026, 00:00:00 CST")),
        (utc(2026, 3, 8, 7, 59, 59), ("Sun 8 Mar 2026, 01:59:59 CST", "Sun 8 Mar 2026, 03:00:00 CDT")),
        (utc(2026, 3, 9, 4, 59, 59), ("Sun 8 Mar 2026, 23:59:59 CDT", "Mon 9 Mar 2026, 00:00:00 CDT")),
        (utc(2026, 11, 1, 4, 59, 59), ("Sat 31 Oct 2026, 23:59:59 CDT", "Sun 1 Nov 2026, 00:00:00 CDT")),
        (utc(2026, 11, 1, 6, 59, 59), ("Sun 1 Nov 2026, 01:59:59 CDT", "Sun 1 Nov 2026, 01:00:00 CST")),
        (utc(2026, 11, 2, 5, 59, 59), ("Sun 1 Nov 2026, 23:59:59 CST", "Mon 2 Nov 2026, 00:00:00 CST")),
    ],
)
def test_the_due_second_around_the_changes_of_the_clock(world, due, at, browser, *, moment, words, seconds, accepted):
    due(moment)
    at(moment + timedelta(seconds=seconds))
    response = hand_in(browser(world.student), world)
    assert Submission.objects.exists() == accepted
    assert response.status_code == (302 if accepted else 422)
    if not accepted:
        page = response.content.decode()
        assert f"was due {words[0]}" in page
        assert f"arrived {words[1]} by the server&#x27;s clock" in page
        assert "America/Chicago" in page


@pytest.mark.parametrize(("seconds", "accepted"), AROUND)
@pytest.mark.parametrize(
    "there",
    [
        # Friday 23:59:59 in Chicago, as the student's own clock shows it
        datetime(2026, 3, 7, 11, 29, 59, tzinfo=KOLKATA),
        datetime(2026, 3, 14, 10, 29, 59, tzinfo=KOLKATA),
        datetime(2026, 3, 7, 6, 59, 59, tzinfo=BERLIN),
        # Chicago's summer time has begun, Berlin's has not; and in autumn the other way round
        datetime(2026, 3, 14, 5, 59, 59, tzinfo=BERLIN),
        datetime(2026, 4, 4, 6, 59, 59, tzinfo=BERLIN),
        datetime(2026, 10, 31, 5, 59, 59, tzinfo=BERLIN),
    ],
)
def test_a_student_in_another_zone_has_the_same_second(world, due, at, browser, *, there, seconds, accepted):
    here = there.astimezone(world.offering.zone)
    assert (here.hour, here.minute, here.second, here.weekday()) == (23, 59, 59, 4)
    due(there)
    at(there + timedelta(seconds=seconds))
    response = hand_in(browser(world.student), world)
    assert response.status_code == (302 if accepted else 422)
    if not accepted:
        # the page's script tells both moments by the student's clock; what it reads are these
        told = re.findall(r"data-elsewhere hidden>By the clock where you are.*?</p>", response.content.decode())
        moments = [datetime.fromisoformat(found) for found in re.findall(r'datetime="([^"]+)"', told[0])]
        assert moments == [there, there + timedelta(seconds=1)]
        assert all(moment.utcoffset() == moment.astimezone(world.offering.zone).utcoffset() for moment in moments)


def test_the_hour_that_comes_twice_is_told_apart(world, due, at, browser):
    """Due at 01:30 of the second round: 01:30:01 of the first one is an hour early."""
    due(utc(2026, 11, 1, 7, 30))
    at(utc(2026, 11, 1, 6, 30, 1))
    assert hand_in(browser(world.student), world).status_code == 302
    at(utc(2026, 11, 1, 7, 30, 1))
    page = hand_in(browser(world.classmate), world).content.decode()
    assert "was due Sun 1 Nov 2026, 01:30:00 CST; this arrived Sun 1 Nov 2026, 01:30:01 CST" in page


@pytest.mark.parametrize(("seconds", "accepted"), AROUND)
def test_an_accommodation_of_a_day_keeps_the_time_of_day_over_the_short_night(
    world, due, at, browser, *, seconds, accepted
):
    Accommodation.objects.create(enrollment=world.student, amount=1, unit="days", reason="r")
    due(utc(2026, 3, 8, 5, 59, 59))
    at(utc(2026, 3, 9, 4, 59, 59) + timedelta(seconds=seconds))
    response = hand_in(browser(world.student), world)
    assert response.status_code == (302 if accepted else 422)
    if not accepted:
        assert (
            "was due Sun 8 Mar 2026, 23:59:59 CDT, moved from 7 Mar by an accommodation of 1 day"
            in response.content.decode()
        )


def test_a_teammates_extra_time_never_moves_mine(world, due, at, browser):
    """Whatever one student is granted, the other's date is the assignment's, to the second."""
    moment = utc(2026, 2, 7, 5, 59, 59)
    due(moment)
    ExtensionFactory(assignment=world.lab, enrollment=world.classmate, due_at=moment + timedelta(days=9))
    Accommodation.objects.create(enrollment=world.classmate, amount=30, unit="days", reason="r")
    assert world.lab.due_for(world.student) == moment
    assert world.lab.due_for(world.classmate) > moment + timedelta(days=29)
    at(moment)
    assert hand_in(browser(world.student), world).status_code == 302
    at(moment + timedelta(seconds=1))
    assert hand_in(browser(world.student), world).status_code == 422
    assert hand_in(browser(world.classmate), world).status_code == 302


def test_the_same_refusal_comes_to_a_page_that_htmx_holds(world, due, at, browser):
    due(utc(2026, 2, 7, 5, 59, 59))
    at(utc(2026, 2, 7, 6, 0, 0))
    url = reverse("lab-submit", args=[world.offering.slug, world.lab.slug])
    response = browser(world.student).post(
        url, {"files": [SimpleUploadedFile("work.py", RIGHT.encode())]}, headers={"HX-Request": "true"}
    )
    assert response.status_code == 422
    assert 'datetime="2026-02-06T23:59:59-06:00"' in response.content.decode()
