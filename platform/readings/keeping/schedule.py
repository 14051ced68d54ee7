"""Due dates in a row: weekly, at the end of the day in the offering's zone, with the weeks that are skipped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from courses.models import Offering, Recess

WEEK = timedelta(days=7)
FRIDAY = 4


@dataclass(frozen=True)
class WeeklyDay:
    """A day of the row. Nothing is due on one that is skipped; `recess` names the recess that it falls into, if any."""

    day: date
    skipped: bool
    recess: str


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a calendar day, also where the clocks are set at midnight."""
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The last second of a calendar day: 23:59:59, whatever the clocks do on it."""
    return start_of_day(day + timedelta(days=1), zone) - timedelta(seconds=1)


def weekly(first: date, recesses: Sequence[Recess] = (), skip: Collection[date] | None = None) -> Iterator[WeeklyDay]:
    """`first` and the same day of every later week, to the end of the calendar.

    Skipped are the days in `skip`; where nobody said which, those in a recess.
    """
    day = first
    while True:
        recess = next((row.name for row in recesses if row.starts_on <= day <= row.ends_on), "")
        yield WeeklyDay(day, skipped=bool(recess) if skip is None else day in skip, recess=recess)
        if day > date.max - WEEK:
            return
        day += WEEK


def until_kept(days: Iterable[WeeklyDay], count: int) -> list[WeeklyDay]:
    """The row up to its day number `count` that is not skipped; shorter where the calendar ends."""
    row: list[WeeklyDay] = []
    for day in days:
        if not count:
            break
        row.append(day)
        count -= not day.skipped
    return row


def kept(row: Iterable[WeeklyDay]) -> list[date]:
    """The days that are not skipped."""
    return [day.day for day in row if not day.skipped]


def first_friday(offering: Offering, today: date) -> date:
    """The Friday of this week, or of the week in which the offering starts."""
    day = max(offering.starts_on, today)
    return day + timedelta(days=(FRIDAY - day.weekday()) % 7)


def opening(offering: Offering, due_at: datetime) -> datetime:
    """When a reading opens unless somebody says otherwise: with the offering, and at least a week before it is due."""
    return min(start_of_day(offering.starts_on, offering.zone), due_at - WEEK)
