"""The one rule that decides when work is due for a student, and why. No database here.

The rules stand in an order: an extension for this assignment, else an accommodation, else the assignment's own date. A rule
applies where no rule after it gives more time, and the first that applies decides. So what is granted never takes time away.

Every argument of `decide` is about one student: what others were granted cannot be seen from there, so it can neither help nor hurt.
Work that several students hand in together is due at the latest of their dates (`together`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.utils.formats import date_format


class Rule(StrEnum):
    """What decided, in the order of the rules."""

    EXTENSION = "extension"
    ACCOMMODATION = "accommodation"
    ASSIGNMENT = "assignment"
    TEAM = "team"  # a teammate's date, whatever decided it


class Unit(StrEnum):
    """What extra time is counted in."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"


@dataclass(frozen=True)
class ExtraTime:
    """Standing extra time. Without `kinds` it is for every kind of work; the days are those on which the work is due to others."""

    amount: int
    unit: Unit
    kinds: frozenset[str] = frozenset()
    first_on: date | None = None
    last_on: date | None = None

    def __str__(self) -> str:
        return f"{self.amount} {self.unit[:-1] if self.amount == 1 else self.unit}"

    def covers(self, kind: str, day: date) -> bool:
        """Whether it is for work of this kind that is due to others on `day`, in the offering's zone."""
        begun = self.first_on is None or self.first_on <= day
        over = self.last_on is not None and self.last_on < day
        return begun and not over and (not self.kinds or kind in self.kinds)

    def after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """That much later. Days keep the clock on the wall; hours and minutes are real ones, also where clocks change."""
        if self.unit == Unit.DAYS:
            return days_after(moment, self.amount, zone)
        return moment + timedelta(**{self.unit.value: self.amount})

    def includes(self, other: ExtraTime) -> bool:
        """Whether it gives as much as `other` wherever `other` gives any; a day counts 24 hours here."""
        kinds = not self.kinds or bool(other.kinds and other.kinds <= self.kinds)
        begins = self.first_on is None or (other.first_on is not None and self.first_on <= other.first_on)
        ends = self.last_on is None or (other.last_on is not None and other.last_on <= self.last_on)
        return kinds and begins and ends and self._nominal >= other._nominal

    @property
    def _nominal(self) -> timedelta:
        return timedelta(**{self.unit.value: self.amount})


@dataclass(frozen=True)
class DueDate:
    """The last second that counts for this student, the rule that decided, and both as people read them."""

    due_at: datetime
    rule: Rule
    sentence: str
    why: str = ""  # the end of the sentence, where the date was moved

    @property
    def moved(self) -> bool:
        """Whether the student has more time than the assignment gives to all."""
        return self.rule != Rule.ASSIGNMENT


def decide(
    *,
    due_at: datetime,
    kind: str,
    zone: ZoneInfo,
    extension: datetime | None = None,
    extra: Iterable[ExtraTime] = (),
) -> DueDate:
    """When work of `kind` that is due to everyone at `due_at` is due for the student who was granted the rest."""
    day = due_at.astimezone(zone).date()
    times = [(time.after(due_at, zone), time) for time in extra if time.covers(kind, day)]
    latest = max(times, key=lambda pair: pair[0], default=None)  # of equals, the one granted first
    standing = max(due_at, latest[0]) if latest else due_at
    if extension is not None and extension > due_at and extension >= standing:
        return _moved(extension, due_at, zone, Rule.EXTENSION, "by an extension")
    if latest and latest[0] > due_at:
        return _moved(latest[0], due_at, zone, Rule.ACCOMMODATION, f"by an accommodation of {latest[1]}")
    return DueDate(due_at, Rule.ASSIGNMENT, f"Due {in_full(due_at, zone)}")


def together(dates: Iterable[DueDate], *, due_at: datetime, zone: ZoneInfo, own: DueDate | None = None) -> DueDate:
    """When work of several students is due: at the latest of their `dates`, so that what one was granted takes nothing from the others.

    `due_at` is everyone's date. What moved it is told to nobody but the student whose date it is (`own`): others read that it holds
    for their team.
    """
    latest = max((date.due_at for date in dates), default=due_at)
    if own is not None and own.due_at >= latest:
        return own
    if latest <= due_at:
        return DueDate(due_at, Rule.ASSIGNMENT, f"Due {in_full(due_at, zone)}")
    return _moved(latest, due_at, zone, Rule.TEAM, "for the whole team")


def days_after(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same time by the clock on the wall, `days` later: 23:59:59 stays 23:59:59."""
    return on_wall(moment.astimezone(zone).replace(tzinfo=None) + timedelta(days=days), zone)


def on_wall(shown: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which clocks in `zone` show this. One that they show twice, or skip, is the later reading: no one loses by it."""
    return max(shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def in_full(moment: datetime, zone: ZoneInfo) -> str:
    """As in `Fri 6 Feb 2026, 23:59:59 CST`. The zone's name tells the two rounds of the hour that comes twice apart."""
    here = moment.astimezone(zone)
    return f"{date_format(here, 'D j M Y, H:i:s')} {here.tzname()}"


def _moved(due_at: datetime, before: datetime, zone: ZoneInfo, rule: Rule, how: str) -> DueDate:
    here, there = due_at.astimezone(zone), before.astimezone(zone)
    day = date_format(there, "j M" if there.year == here.year else "j M Y")
    since = day if here.time() == there.time() else f"{day}, {date_format(there, 'H:i:s')}"
    why = f"moved from {since} {how}"
    return DueDate(due_at, rule, f"Due {in_full(due_at, zone)}, {why}", why)
