"""What the instructor says of a copy, and the dates that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from assignments.models import Assignment
from courses.models import Offering, Session
from exchange.copying.shift import Break, Shift, Term
from projects.models import TeamRules


@dataclass(frozen=True)
class Frame:
    """The new offering itself."""

    slug: str
    term: str
    starts_on: date
    ends_on: date
    room: str
    meets: str
    breaks: tuple[Break, ...]
    staff: tuple[int, ...] = ()


@dataclass(frozen=True)
class Dates:
    """Every date of the copy: of sessions and assignments by the id of the row that is copied, and the day on which teams lock."""

    sessions: Mapping[int, date]
    assignments: Mapping[int, tuple[datetime, datetime]]
    teams_lock_at: datetime | None = None


@dataclass(frozen=True)
class Source:
    """What an offering has that is dated. Readings that were taken off the list stay behind."""

    offering: Offering
    sessions: tuple[Session, ...]
    assignments: tuple[Assignment, ...]
    teams_lock_at: datetime | None

    @property
    def first_class_day(self) -> date:
        """Of the first session; without any, the first day of the offering."""
        return min((session.date for session in self.sessions), default=self.offering.starts_on)


def source_of(offering: Offering) -> Source:
    """Three queries."""
    assignments = Assignment.objects.filter(offering=offering).exclude(reading__archived_at__isnull=False)
    rules = TeamRules.objects.filter(offering=offering).first()
    return Source(
        offering=offering,
        sessions=tuple(offering.sessions.order_by("date", "week", "number")),
        assignments=tuple(assignments.select_related("offering").order_by("due_at", "kind", "number")),
        teams_lock_at=rules.lock_at if rules else None,
    )


def shift_of(source: Source, frame: Frame) -> Shift:
    """First class day to first class day, around the breaks of each term. One query."""
    offering = source.offering
    breaks = tuple(Break(row.name, row.starts_on, row.ends_on) for row in offering.recesses.all())
    return Shift(
        old=Term(source.first_class_day, breaks, offering.zone), new=Term(frame.starts_on, frame.breaks, offering.zone)
    )


def suggested(source: Source, shift: Shift) -> Dates:
    """All dates, shifted."""
    return Dates(
        sessions={row.pk: shift.class_day(row.date) for row in source.sessions},
        assignments={row.pk: (shift.moment(row.opens_at), shift.moment(row.due_at)) for row in source.assignments},
        teams_lock_at=shift.moment(source.teams_lock_at) if source.teams_lock_at else None,
    )
