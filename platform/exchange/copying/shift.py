"""Days of one term as days of the next: the same week of class and the same weekday.

Weeks are counted from the first class day's week. A week whose five working days are all recess is no week of class, in either term, so
what was due in the sixth week of class is due in the sixth again. Clock times stay as they are on the wall, whatever summer time does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

WEEK = timedelta(days=7)
LONGEST_WEEKS = 60


@dataclass(frozen=True)
class Break:
    """Days without class, first and last included."""

    name: str
    starts_on: date
    ends_on: date

    def holds(self, day: date) -> bool:
        """Whether the day is one of them."""
        return self.starts_on <= day <= self.ends_on


@dataclass(frozen=True)
class Term:
    """When a term begins, its breaks, and its zone."""

    first_day: date
    breaks: tuple[Break, ...]
    zone: ZoneInfo

    def break_on(self, day: date) -> Break | None:
        """The break that the day is in."""
        return next((each for each in self.breaks if each.holds(day)), None)

    def week(self, number: int) -> date:
        """The Monday of a week of class, from 0; weeks before the first one are plain weeks."""
        monday = monday_of(self.first_day)
        if number <= 0:
            return monday + number * WEEK
        for _ in range(number):
            monday = self._next(monday)
        return monday

    def week_of(self, day: date) -> int:
        """The number of the week of class that holds the day, or, in a week without class, of the last one before."""
        monday, number = monday_of(self.first_day), 0
        if day < monday:
            return (monday_of(day) - monday) // WEEK
        while (after := self._next(monday)) <= day:
            monday, number = after, number + 1
        return number

    def _next(self, monday: date) -> date:
        """The Monday of the next week with class; breaks end, so there is one."""
        for _ in range(LONGEST_WEEKS):
            monday += WEEK
            if not all(self.break_on(monday + timedelta(days=day)) for day in range(5)):
                break
        return monday


@dataclass(frozen=True)
class Shift:
    """From one term to another."""

    old: Term
    new: Term

    def day(self, day: date) -> date:
        """The same weekday of the same week of class; within a break, as far behind the last week of class as before."""
        number = self.old.week_of(day)
        return self.new.week(number) + (day - self.old.week(number))

    def class_day(self, day: date) -> date:
        """The same, moved by as many days as the first class day's weekday moved: Tuesdays become Mondays where the first one does."""
        return self.day(day) + timedelta(days=self.new.first_day.weekday() - self.old.first_day.weekday())

    def moment(self, moment: datetime) -> datetime:
        """The shifted day at the same time by the clock on the wall."""
        local = moment.astimezone(self.old.zone)
        return datetime.combine(self.day(local.date()), local.time(), tzinfo=self.new.zone)


def monday_of(day: date) -> date:
    """The Monday of the day's week."""
    return day - timedelta(days=day.weekday())
