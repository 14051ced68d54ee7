"""Due dates in a row: weekly, at the end of the day in the offering's zone, with the weeks that are skipped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from courses.models import Offering

WEEK = timedelta(days=7)
FRIDAY = 4


@dataclass(frozen=True)
class FreeDays:
    """Days from `first` to `last`, both included, on which nothing is due; `name` says why."""

    name: str
    first: date
    last: date


@dataclass(frozen=True)
class WeeklyDay:
    """A day of the row. One that is skipped has no reading due, and `why` says for what."""

    day: date
    skipped: bool
    why: str


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a calendar day, also where the clocks are set at midnight."""
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The last second of a calendar day: 23:59:59, whatever the clocks do on it."""
    return start_of_day(day + timedelta(days=1), zone) - timedelta(seconds=1)


def free_days(offering: Offering) -> tuple[FreeDays, ...]:
    """The offering's recesses. One query."""
    return tuple(FreeDays(recess.name, recess.starts_on, recess.ends_on) for recess in offering.recesses.all())


def weekly(first: date, free: Sequence[FreeDays] = (), skip: Collection[date] = ()) -> Iterator[WeeklyDay]:
    """`first` and the same day of every later week, without end but that of the calendar; days in `free` and in `skip` are marked."""
    day = first
    while True:
        why = next((span.name for span in free if span.first <= day <= span.last), "")
        yield WeeklyDay(day, skipped=bool(why) or day in skip, why=why)
        if day > date.max - WEEK:
            return
        day += WEEK


def kept_days(days: Iterable[WeeklyDay], count: int) -> list[date]:
    """The first `count` days that are not skipped; fewer where the calendar ends."""
    return list(islice((row.day for row in days if not row.skipped), count))


def first_friday(offering: Offering, today: date) -> date:
    """The Friday of this week, or of the week in which the offering starts."""
    day = max(offering.starts_on, today)
    return day + timedelta(days=(FRIDAY - day.weekday()) % 7)


def opening(offering: Offering, due_at: datetime) -> datetime:
    """When a reading opens unless somebody says otherwise: with the offering, and at least a week before it is due."""
    return min(start_of_day(offering.starts_on, offering.zone), due_at - WEEK)
