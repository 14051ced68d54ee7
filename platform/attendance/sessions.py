"""Which sessions of an offering count, and how each of them stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from attendance.models import Attendance, CheckInWindow, Presence
from courses.models import Offering, Session
from courses.pages import StateChip


def taken_sessions(offering: Offering) -> QuerySet[Session]:
    """The sessions in which attendance was taken: a check-in was opened, or somebody stands there as present or absent.

    An excuse alone, which staff may give weeks ahead, takes no attendance.
    """
    return Session.objects.filter(_taken(), offering=offering)


def counting_sessions(offering: Offering) -> QuerySet[Session]:
    """The taken sessions that were not left out."""
    return taken_sessions(offering).filter(left_out=None)


@dataclass(frozen=True)
class SessionState:
    """A session, and what became of attendance in it."""

    session: Session
    taken: bool
    left_out: str
    open_until: datetime | None
    is_today: bool
    coming: bool

    @property
    def counts(self) -> bool:
        """Whether it counts for the class."""
        return self.taken and not self.left_out

    @property
    def chip(self) -> StateChip:
        """The state as icon, word and colour."""
        if self.left_out:
            return StateChip("muted", "Left out", "ban")
        if self.open_until:
            return StateChip("run", "Check-in is open", "radio")
        if self.taken:
            return StateChip("pass", "Counts")
        return StateChip("muted", "Has not come yet" if self.coming else "Not taken", "clock" if self.coming else "")


def session_states(offering: Offering, now: datetime) -> tuple[SessionState, ...]:
    """Every session in the order of the term. One query."""
    opened = CheckInWindow.objects.open_at(now).filter(session=OuterRef("pk"))
    rows = (
        Session.objects.filter(offering=offering)
        .select_related("left_out", "offering")
        .order_by("date", "week", "number")
    )
    rows = rows.annotate(taken=_taken(), open_until=Subquery(opened.values("closes_at")[:1]))
    return tuple(_state(row, offering.day_of(now)) for row in rows)


def state_of(session: Session, now: datetime) -> SessionState:
    """One session's."""
    return next(row for row in session_states(session.offering, now) if row.session.pk == session.pk)


def open_sessions(states: Iterable[SessionState]) -> list[SessionState]:
    """Those in which students check in now."""
    return [state for state in states if state.open_until and not state.left_out]


def _state(row: Session, today: date) -> SessionState:
    left_out = row.left_out.reason if hasattr(row, "left_out") else ""
    taken, open_until = getattr(row, "taken"), getattr(row, "open_until")  # noqa: B009 - annotations of the query
    return SessionState(row, taken, left_out, open_until, is_today=row.date == today, coming=row.date > today)


def _taken() -> Q:
    here = Attendance.objects.filter(session=OuterRef("pk"))
    opened = CheckInWindow.objects.filter(session=OuterRef("pk"))
    recorded = here.filter(presence__in=(Presence.PRESENT, Presence.ABSENT))
    return Q(Exists(opened)) | Q(Exists(recorded))
