"""The rule that decides a due date, held against one that tries every moment; and days and hours across changes of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignments.due.rules import ExtraTime, Rule, Unit, decide, in_full, on_wall

CHICAGO = ZoneInfo("America/Chicago")
# Lord Howe's summer time is half an hour; Kolkata has none
ZONES = ["America/Chicago", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe"]
KINDS = ["lab", "reading", "deliverable"]
STEP = timedelta(minutes=15)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def wall(*parts: int) -> datetime:
    """What a clock on a wall shows."""
    return datetime(*parts)  # noqa: DTZ001


def read_on_wall(shown: datetime, zone: ZoneInfo) -> datetime:
    """The last moment of all at which a clock in the zone shows this; where none does, that long after the clocks jumped."""
    start = shown.replace(tzinfo=UTC) - timedelta(hours=15)
    moments = [start + STEP * step for step in range(4 * 30 + 1)]
    found = [moment for moment in moments if moment.astimezone(zone).replace(tzinfo=None) == shown]
    if found:
        return max(found)
    before = max(moment for moment in moments if moment.astimezone(zone).replace(tzinfo=None) < shown)
    return before + (shown - before.astimezone(zone).replace(tzinfo=None))


def tried(due_at, kind, zone, extension, extra) -> tuple[datetime, Rule]:
    """Every rule's moment; the latest of them, and the first rule that gives it. What does not move the date is the assignment's."""
    day = due_at.astimezone(zone).date()
    moments = [(Rule.EXTENSION, extension)] if extension else []
    for time in extra:
        if (time.kinds and kind not in time.kinds) or not (time.first_on or day) <= day <= (time.last_on or day):
            continue
        if time.unit == Unit.DAYS:
            wall = due_at.astimezone(zone).replace(tzinfo=None) + timedelta(days=time.amount)
            moments.append((Rule.ACCOMMODATION, read_on_wall(wall, zone)))
        else:
            seconds = time.amount * {Unit.HOURS: 3600, Unit.MINUTES: 60}[time.unit]
            moments.append((Rule.ACCOMMODATION, due_at + timedelta(seconds=seconds)))
    latest = max([due_at, *(moment for _, moment in moments)])
    if latest == due_at:
        return due_at, Rule.ASSIGNMENT
    return latest, next(rule for rule, moment in moments if moment == latest)


def whole_quarters(value: datetime) -> datetime:
    """A due time at a quarter of an hour, which the oracle's steps meet."""
    return value.replace(minute=value.minute // 15 * 15, second=0, microsecond=0)


def moments(first: datetime, last: datetime) -> st.SearchStrategy[datetime]:
    return st.datetimes(first, last, timezones=st.just(UTC)).map(whole_quarters)


# the weeks around the changes of the clock come as often as all others
DUE = st.one_of(
    moments(wall(2026, 1, 1), wall(2026, 12, 31)),
    moments(wall(2026, 3, 6), wall(2026, 3, 9)),
    moments(wall(2026, 3, 27), wall(2026, 3, 30)),
    moments(wall(2026, 4, 3), wall(2026, 4, 6)),
    moments(wall(2026, 10, 23), wall(2026, 11, 2)),
)
DAYS = st.one_of(st.none(), st.dates(date(2026, 1, 1), date(2026, 12, 31)))
EXTRA = st.builds(
    ExtraTime,
    st.integers(1, 40),
    st.sampled_from(Unit),
    st.frozensets(st.sampled_from(KINDS)),
    DAYS,
    DAYS,
)


@st.composite
def cases(draw):
    due_at = draw(DUE)
    later = draw(st.one_of(st.none(), st.integers(-200, 2000)))
    extension = None if later is None else due_at + STEP * later
    extra = draw(st.lists(EXTRA, max_size=4))
    return {
        "due_at": due_at,
        "kind": draw(st.sampled_from(KINDS)),
        "zone": ZoneInfo(draw(st.sampled_from(ZONES))),
        "extension": extension,
        "extra": extra,
    }


@given(cases())
def test_the_rule_finds_what_trying_everything_finds(case):
    found = decide(**case)
    assert (found.due_at, found.rule) == tried(**case)


@given(cases())
def test_nothing_that_is_granted_takes_time_away(case):
    alone = decide(**case | {"extension": None, "extra": []})
    assert alone.due_at == case["due_at"]
    for less in ({"extension": None}, {"extra": []}, {"extra": case["extra"][1:]}):
        assert decide(**case).due_at >= decide(**case | less).due_at


@given(cases())
def test_the_sentence_names_the_moment_and_what_moved_it(case):
    found = decide(**case)
    assert found.sentence.startswith(f"Due {in_full(found.due_at, case['zone'])}")
    assert (f"by an {found.rule}" in found.sentence) == found.moved
    assert found.moved == (found.due_at > case["due_at"])
    assert found.sentence.endswith(found.why)


@given(cases(), EXTRA, EXTRA)
def test_what_includes_another_gives_as_much_wherever_it_gives_any(case, more, less):
    """Days and hours are compared as 24 hours a day, so an hour of a changed clock may lie between them."""
    if more.includes(less):
        with_more, with_less = decide(**case | {"extra": [more]}), decide(**case | {"extra": [less]})
        assert with_more.due_at >= with_less.due_at - timedelta(hours=1)


def test_the_sentence_as_it_is_read():
    due = utc(2026, 1, 31, 5, 59, 59)
    moved = decide(due_at=due, kind="reading", zone=CHICAGO, extension=utc(2026, 2, 7, 5, 59, 59))
    assert moved.sentence == "Due Fri 6 Feb 2026, 23:59:59 CST, moved from 30 Jan by an extension"
    assert decide(due_at=due, kind="reading", zone=CHICAGO).sentence == "Due Fri 30 Jan 2026, 23:59:59 CST"
    hours = decide(due_at=due, kind="reading", zone=CHICAGO, extra=[ExtraTime(1, Unit.HOURS)])
    assert hours.sentence == (
        "Due Sat 31 Jan 2026, 00:59:59 CST, moved from 30 Jan, 23:59:59 by an accommodation of 1 hour"
    )
    new_year = decide(due_at=utc(2026, 1, 1, 5, 59, 59), kind="lab", zone=CHICAGO, extra=[ExtraTime(2, Unit.DAYS)])
    assert new_year.why == "moved from 31 Dec 2025 by an accommodation of 2 days"


@pytest.mark.parametrize(
    ("due_at", "extra", "until"),
    [
        # the night to 8 March has 23 hours: a day keeps 23:59:59, twenty-four hours do not
        (utc(2026, 3, 8, 5, 59, 59), ExtraTime(1, Unit.DAYS), utc(2026, 3, 9, 4, 59, 59)),
        (utc(2026, 3, 8, 5, 59, 59), ExtraTime(24, Unit.HOURS), utc(2026, 3, 9, 5, 59, 59)),
        (utc(2026, 3, 8, 5, 59, 59), ExtraTime(1440, Unit.MINUTES), utc(2026, 3, 9, 5, 59, 59)),
        # the night to 1 November has 25
        (utc(2026, 11, 1, 4, 59, 59), ExtraTime(1, Unit.DAYS), utc(2026, 11, 2, 5, 59, 59)),
        (utc(2026, 11, 1, 4, 59, 59), ExtraTime(24, Unit.HOURS), utc(2026, 11, 2, 4, 59, 59)),
        # 02:30 is skipped on 8 March: 03:30 in summer time
        (utc(2026, 3, 7, 8, 30), ExtraTime(1, Unit.DAYS), utc(2026, 3, 8, 8, 30)),
        # 01:30 comes twice on 1 November: the second one
        (utc(2026, 10, 31, 6, 30), ExtraTime(1, Unit.DAYS), utc(2026, 11, 1, 7, 30)),
        # three hours across each change are three hours
        (utc(2026, 3, 8, 7, 0), ExtraTime(3, Unit.HOURS), utc(2026, 3, 8, 10, 0)),
        (utc(2026, 11, 1, 6, 0), ExtraTime(3, Unit.HOURS), utc(2026, 11, 1, 9, 0)),
    ],
)
def test_extra_time_across_the_changes_of_the_clock_in_chicago(due_at, extra, until):
    assert decide(due_at=due_at, kind="lab", zone=CHICAGO, extra=[extra]).due_at == until


@pytest.mark.parametrize(
    ("shown", "moment"),
    [
        (wall(2026, 3, 8, 1, 59, 59), utc(2026, 3, 8, 7, 59, 59)),
        (wall(2026, 3, 8, 2, 30), utc(2026, 3, 8, 8, 30)),
        (wall(2026, 3, 8, 3, 0), utc(2026, 3, 8, 8, 0)),
        (wall(2026, 11, 1, 0, 59, 59), utc(2026, 11, 1, 5, 59, 59)),
        (wall(2026, 11, 1, 1, 30), utc(2026, 11, 1, 7, 30)),
        (wall(2026, 11, 1, 2, 0), utc(2026, 11, 1, 8, 0)),
    ],
)
def test_a_time_that_clocks_show_twice_or_skip_is_the_later_reading(shown, moment):
    assert on_wall(shown, CHICAGO) == moment


def test_where_extra_time_holds():
    """The days are those on which the work is due to others, in the offering's zone: 05:59:59 UTC is the day before in Chicago."""
    due = utc(2026, 2, 7, 5, 59, 59)

    def rule(**where):
        return decide(due_at=due, kind="lab", zone=CHICAGO, extra=[ExtraTime(1, Unit.DAYS, **where)]).rule

    assert rule(first_on=date(2026, 2, 6), last_on=date(2026, 2, 6)) == Rule.ACCOMMODATION
    assert rule(first_on=date(2026, 2, 7)) == Rule.ASSIGNMENT
    assert rule(last_on=date(2026, 2, 5)) == Rule.ASSIGNMENT
    assert rule(kinds=frozenset({"reading"})) == Rule.ASSIGNMENT
    assert rule(kinds=frozenset({"reading", "lab"})) == Rule.ACCOMMODATION
