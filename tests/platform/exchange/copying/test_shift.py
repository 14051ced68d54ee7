"""Days of one term as days of the next: weekdays, weeks of class and clock times stay; breaks and summer time do not matter."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.copying.shift import Break, Shift, Term

CHICAGO = ZoneInfo("America/Chicago")
SPRING = Term(date(2026, 1, 20), (Break("Spring break", date(2026, 3, 14), date(2026, 3, 22)),), CHICAGO)
FALL = Term(
    date(2026, 8, 25),
    (
        Break("Labor Day", date(2026, 9, 7), date(2026, 9, 7)),
        Break("Fall break", date(2026, 11, 21), date(2026, 11, 29)),
    ),
    CHICAGO,
)


def test_the_first_class_day_becomes_the_first_class_day():
    assert Shift(SPRING, FALL).day(date(2026, 1, 20)) == date(2026, 8, 25)


def test_a_friday_of_the_second_week_is_a_friday_of_the_second_week():
    assert Shift(SPRING, FALL).day(date(2026, 1, 30)) == date(2026, 9, 4)


def test_a_break_of_the_old_term_and_one_of_the_new_are_skipped():
    # the ninth Tuesday of class comes behind spring break; the fourteenth would have been in the fall break
    shift = Shift(SPRING, FALL)
    assert shift.day(date(2026, 3, 10)) == date(2026, 10, 13)
    assert shift.day(date(2026, 3, 24)) == date(2026, 10, 20)
    assert shift.day(date(2026, 4, 21)) == date(2026, 11, 17)
    assert shift.day(date(2026, 4, 28)) == date(2026, 12, 1)


def test_a_single_free_day_is_no_week_without_class():
    assert Shift(SPRING, FALL).day(date(2026, 2, 2)) == date(2026, 9, 7)
    assert FALL.break_on(date(2026, 9, 7)).name == "Labor Day"


def test_what_was_in_a_break_stays_as_far_behind_the_last_week_of_class():
    assert Shift(SPRING, FALL).day(date(2026, 3, 18)) == date(2026, 10, 21)


def test_before_the_first_day_weeks_are_plain_weeks():
    assert Shift(SPRING, FALL).day(date(2026, 1, 12)) == date(2026, 8, 17)


def test_class_days_move_with_the_first_one_and_due_dates_keep_their_weekday():
    monday = Term(date(2026, 8, 24), (), CHICAGO)
    shift = Shift(SPRING, monday)
    assert shift.class_day(date(2026, 1, 20)) == date(2026, 8, 24)
    assert shift.class_day(date(2026, 1, 22)) == date(2026, 8, 26)
    assert shift.day(date(2026, 1, 30)).weekday() == 4


@pytest.mark.parametrize("day", [date(2026, 2, 20), date(2026, 3, 8), date(2026, 4, 3), date(2026, 5, 8)])
def test_the_last_second_of_a_day_stays_the_last_second_whatever_summer_time_does(day):
    due = datetime.combine(day, time(23, 59, 59), tzinfo=CHICAGO).astimezone(UTC)
    moved = Shift(SPRING, FALL).moment(due).astimezone(CHICAGO)
    assert moved.time() == time(23, 59, 59)
    assert moved.weekday() == day.weekday()
    assert moved.utcoffset() != due.astimezone(CHICAGO).utcoffset() or day.month in {4, 5, 3}


def test_winter_time_becomes_summer_time_and_back():
    early = Shift(SPRING, FALL).moment(datetime(2026, 1, 30, 23, 59, 59, tzinfo=CHICAGO))
    late = Shift(SPRING, FALL).moment(datetime(2026, 4, 28, 23, 59, 59, tzinfo=CHICAGO))
    assert (early.utcoffset(), late.utcoffset()) == (timedelta(hours=-5), timedelta(hours=-6))


DAYS = st.dates(date(2026, 1, 1), date(2026, 6, 30))
STARTS = st.dates(date(2026, 8, 1), date(2027, 2, 28))


@st.composite
def terms(draw):
    starts = draw(STARTS)
    first = starts + timedelta(days=draw(st.integers(10, 90)))
    length = draw(st.integers(0, 20))
    return Term(starts, (Break("b", first, first + timedelta(days=length)),), CHICAGO)


@settings(deadline=None)
@given(DAYS, terms())
def test_every_day_keeps_its_weekday_and_its_week_of_class(day, term):
    moved = Shift(SPRING, term).day(day)
    assert moved.weekday() == day.weekday()
    if not SPRING.break_on(day) and day >= SPRING.first_day:
        assert term.week_of(moved) == SPRING.week_of(day)


@settings(deadline=None)
@given(st.lists(DAYS, min_size=2, max_size=2), terms())
def test_no_two_days_change_their_order(days, term):
    first, last = sorted(days)
    assert Shift(SPRING, term).day(first) <= Shift(SPRING, term).day(last)


@settings(deadline=None)
@given(DAYS, terms())
def test_there_and_back_is_where_it_was(day, term):
    if SPRING.break_on(day) is None:
        moved = Shift(SPRING, term).day(day)
        assert Shift(term, SPRING).day(moved) == day
