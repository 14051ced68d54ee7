"""Weekly due dates: the last second of a day in the offering's zone, recesses skipped, across the days on which clocks are set."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.models import AuditEvent
from courses.models import Recess
from readings.keeping.arranging import next_days, set_weekly
from readings.keeping.dates import DatesTouchWork
from readings.keeping.schedule import end_of_day, kept, start_of_day, until_kept, weekly
from readings.keeping.services import ListRefused
from readings.models import Reading
from tests.factories import ReadingFactory, summary

CHICAGO = ZoneInfo("America/Chicago")
# zones that keep whole days; Samoa and others once left one out, long before any course
ZONES = sorted(
    name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix/", "right/"))
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "last_second"),
    [
        (date(2026, 3, 7), utc(2026, 3, 8, 5, 59, 59)),  # winter: UTC-6
        (date(2026, 3, 8), utc(2026, 3, 9, 4, 59, 59)),  # a day of 23 hours, which ends in summer: UTC-5
        (date(2026, 10, 31), utc(2026, 11, 1, 4, 59, 59)),
        (date(2026, 11, 1), utc(2026, 11, 2, 5, 59, 59)),  # a day of 25 hours
    ],
)
def test_a_day_ends_at_its_last_second_when_clocks_are_set(day, last_second):
    assert end_of_day(day, CHICAGO) == last_second
    assert end_of_day(day, CHICAGO).astimezone(CHICAGO).strftime("%H:%M:%S") == "23:59:59"


def test_the_days_on_which_clocks_are_set_have_23_and_25_hours():
    for day, hours in ((date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 7, 1), 24)):
        length = end_of_day(day, CHICAGO) + timedelta(seconds=1) - start_of_day(day, CHICAGO)
        assert length == timedelta(hours=hours)


def test_where_clocks_go_back_at_midnight_the_later_last_second_counts():
    # Chile, 4 April 2026: at 24:00 it is 23:00 once more, so 23:59:59 comes twice
    santiago = ZoneInfo("America/Santiago")
    assert end_of_day(date(2026, 4, 4), santiago) == utc(2026, 4, 5, 3, 59, 59)


@settings(max_examples=300, deadline=None)
@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    day=st.dates(date(2024, 1, 1), date(2030, 12, 31)),
)
def test_one_second_after_the_end_of_a_day_it_is_the_next_day(zone, day):
    end = end_of_day(day, zone)
    assert end.astimezone(zone).date() == day
    assert (end + timedelta(seconds=1)).astimezone(zone).date() == day + timedelta(days=1)


def test_every_week_stays_on_its_weekday_and_its_hour_across_both_changes():
    days = kept(until_kept(weekly(date(2026, 2, 27)), 40))
    local = [end_of_day(day, CHICAGO).astimezone(CHICAGO) for day in days]
    assert {(moment.weekday(), moment.hour, moment.minute, moment.second) for moment in local} == {(4, 23, 59, 59)}
    assert {moment.utcoffset() for moment in local} == {timedelta(hours=-5), timedelta(hours=-6)}


def test_weeks_in_a_recess_are_skipped_unless_somebody_says_otherwise():
    recess = Recess(name="Spring break", starts_on=date(2026, 3, 14), ends_on=date(2026, 3, 22))
    row = until_kept(weekly(date(2026, 3, 13), [recess]), 3)
    assert [(day.day.day, day.skipped, day.recess) for day in row] == [
        (13, False, ""),
        (20, True, "Spring break"),
        (27, False, ""),
        (3, False, ""),
    ]
    everything = until_kept(weekly(date(2026, 3, 13), [recess], skip=()), 3)
    assert kept(everything) == [date(2026, 3, 13), date(2026, 3, 20), date(2026, 3, 27)]


def test_the_calendar_ends_and_the_row_with_it():
    assert len(kept(until_kept(weekly(date.max - timedelta(days=8)), 5))) == 2


@pytest.fixture
def three(world):
    world.offering.recesses.create(name="Spring break", starts_on=date(2026, 3, 14), ends_on=date(2026, 3, 22))
    opens = end_of_day(date(2026, 1, 20), CHICAGO)
    return [
        ReadingFactory(
            position=n,
            assignment__offering=world.offering,
            assignment__number=n,
            assignment__slug=f"r{n}",
            assignment__opens_at=opens,
            assignment__due_at=end_of_day(date(2026, 1, 30) + timedelta(days=7 * n), CHICAGO),
        )
        for n in (1, 2, 3)
    ]


def dues(world):
    return [reading.assignment.due_at for reading in Reading.objects.of(world.offering).listed()]


def set_form(world, page, **changes):
    """What the page would send."""
    return {
        "first": "2026-03-06",
        "shown": "2026-03-06",
        "skip": ["2026-03-20"],
        "seen_days": page,
        "act": "set",
    } | changes


@pytest.mark.django_db
def test_dates_are_shown_first_and_set_by_a_second_press(world, three, browser):
    client, url = browser(world.instructor), reverse("reading-list-dates", args=[world.offering.slug])
    before = dues(world)
    shown = client.post(url, {"first": "2026-03-06", "act": "set"}).context["page"]
    assert [(row.day, row.skipped) for row in shown.rows] == [
        (date(2026, 3, 6), False),
        (date(2026, 3, 13), False),
        (date(2026, 3, 20), True),
        (date(2026, 3, 27), False),
    ]
    assert dues(world) == before  # nobody has seen these dates before
    assert client.post(url, set_form(world, shown.told)).status_code == 302
    assert dues(world) == [utc(2026, 3, 7, 5, 59, 59), utc(2026, 3, 14, 4, 59, 59), utc(2026, 3, 28, 4, 59, 59)]
    assert AuditEvent.objects.filter(action="changed the due date", actor=world.instructor.user).count() == 3


@pytest.mark.django_db
def test_what_was_not_seen_is_not_set(world, three, browser):
    client, url = browser(world.instructor), reverse("reading-list-dates", args=[world.offering.slug])
    before = dues(world)
    seen = "2026-03-06 2026-03-13 2026-03-27"
    assert client.post(url, set_form(world, seen, skip=["2026-03-13"])).status_code == 200
    assert client.post(url, set_form(world, seen, first="2026-04-03")).status_code == 200
    assert client.post(url, set_form(world, seen, first="yesterday")).status_code == 422
    assert dues(world) == before


@pytest.mark.django_db
def test_dates_under_summaries_change_only_for_those_who_mean_it(world, three, browser):
    for who in (world.student, world.classmate):
        summary(three[0].assignment, who)
    client, url = browser(world.instructor), reverse("reading-list-dates", args=[world.offering.slug])
    told = "2026-03-06 2026-03-13 2026-03-27"
    before = dues(world)
    asked = client.post(url, set_form(world, told))
    assert asked.status_code == 422
    assert "1 reading for which 2 summaries were handed in" in asked.content.decode()
    assert dues(world) == before
    assert client.post(url, set_form(world, told, act="", confirmed="yes")).status_code == 302
    assert dues(world)[0] == utc(2026, 3, 7, 5, 59, 59)


@pytest.mark.django_db
def test_an_opening_never_lies_behind_its_due_date(world, three):
    days = [date(2026, 1, 2), date(2026, 1, 9), date(2026, 1, 16)]
    set_weekly(offering=world.offering, days=days, by=world.instructor.user)
    for reading in Reading.objects.of(world.offering):
        assert reading.assignment.opens_at < reading.assignment.due_at
    assert AuditEvent.objects.filter(action="changed the opening").count() == 3


@pytest.mark.django_db
def test_dates_for_another_number_of_papers_are_refused(world, three):
    with pytest.raises(ListRefused):
        set_weekly(offering=world.offering, days=[date(2026, 3, 6)], by=world.instructor.user)


@pytest.mark.django_db
def test_the_next_paper_is_due_a_week_after_the_last(world, three, at):
    assert next_days(world.offering, 2) == [date(2026, 2, 27), date(2026, 3, 6)]
    Reading.objects.of(world.offering).update(hidden=True, archived_at=utc(2026, 2, 1))
    at(utc(2026, 3, 1))  # a Saturday in Chicago
    assert next_days(world.offering, 2) == [date(2026, 3, 6), date(2026, 3, 13)]


@pytest.mark.django_db
def test_a_date_alone_does_not_ask_where_nothing_was_handed_in(world, three):
    summary(three[2].assignment, world.student)
    stays = world.offering.day_of(three[2].assignment.due_at)
    days = [date(2026, 2, 2), date(2026, 2, 9), stays]
    assert set_weekly(offering=world.offering, days=days, by=world.instructor.user) == 2
    with pytest.raises(DatesTouchWork):
        set_weekly(offering=world.offering, days=[*days[:2], date(2026, 3, 2)], by=world.instructor.user)
