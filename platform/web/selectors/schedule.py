"""The schedule: weeks of class, with what is due in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.urls import reverse

from assignments.due.rules import DueDate
from assignments.due.selectors import decided
from assignments.models import Assignment, Kind
from config import clock
from courses.models import Enrollment, Session
from projects.deliverables.crew import crew_of, due_dates
from projects.presentations.schedule import talks_by_session
from web.selectors.dashboard import SessionRow
from web.syllabus.topic import Topic
from web.syllabus.topics import beside, topics_of

PAGES: dict[str, str] = {Kind.LAB: "lab", Kind.READING: "reading", Kind.DELIVERABLE: "deliverable"}


@dataclass(frozen=True)
class DueRow:
    """Something due in a week; `url` is None while a student may not open it. `due` says by which rule."""

    kind: str
    title: str
    due_at: datetime
    url: str | None
    due: DueDate


@dataclass(frozen=True)
class WeekRow:
    """A week from Monday to Sunday, of class or of recess: then `recess` names it and there are no sessions."""

    label: str
    part: str
    starts_on: date
    ends_on: date
    sessions: tuple[SessionRow, ...]
    due: tuple[DueRow, ...]
    recess: str
    is_current: bool

    @property
    def beside(self) -> tuple[Topic, ...]:
        """What the course names beside the topics of this week."""
        named = dict.fromkeys(topic for session in self.sessions for topic in topics_of(session.topic))
        return tuple(other for topic in named for other in beside(topic))


@dataclass(frozen=True)
class SchedulePage:
    """All weeks in order, and when and where the class meets."""

    weeks: tuple[WeekRow, ...]
    meets: str
    room: str
    starts_on: date
    ends_on: date


def schedule_page(enrollment: Enrollment) -> SchedulePage:
    """The whole term. Thirteen queries at most."""
    offering, now = enrollment.offering, clock.now()
    sessions: dict[date, list[Session]] = {}
    for session in offering.sessions.all():
        sessions.setdefault(_monday(session.date), []).append(session)
    recesses = {_monday(recess.starts_on + timedelta(days=2)): recess.name for recess in offering.recesses.all()}
    due: dict[date, list[DueRow]] = {}
    for row in due_rows(enrollment, now):
        due.setdefault(_monday(offering.day_of(row.due_at)), []).append(row)
    today = offering.day_of(now)
    talks = talks_by_session(offering)
    weeks = (
        _week(monday, sessions.get(monday, []), due.get(monday, []), recesses.get(monday, ""), today, talks=talks)
        for monday in sorted({*sessions, *recesses, *due})
    )
    return SchedulePage(
        weeks=tuple(weeks),
        meets=offering.meets,
        room=offering.room,
        starts_on=offering.starts_on,
        ends_on=offering.ends_on,
    )


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _week(
    monday: date,
    sessions: Sequence[Session],
    due: Sequence[DueRow],
    recess: str,
    today: date,
    *,
    talks: Mapping[int, int],
) -> WeekRow:
    return WeekRow(
        label=sessions[0].week_label if sessions else "",
        part=next((session.part for session in sessions if session.part), ""),
        starts_on=monday,
        ends_on=monday + timedelta(days=6),
        sessions=tuple(
            SessionRow(row.date, row.topic, row.number, row.date == today, talks.get(row.pk, 0)) for row in sessions
        ),
        due=tuple(due),
        recess="" if sessions else recess,
        is_current=monday == _monday(today),
    )


def due_rows(enrollment: Enrollment, now: datetime) -> list[DueRow]:
    """All that is due, by due date; archived readings are gone, and a student does not see hidden ones. A deliverable is due to a student
    when it is due to their team."""
    assignments = enrollment.offering.assignments.select_related("reading").exclude(reading__archived_at__isnull=False)
    if not enrollment.is_staff:
        assignments = assignments.exclude(reading__hidden=True)
    listed = list(assignments)
    due = decided(enrollment, listed)
    if enrollment.is_student and (shared := [row for row in listed if row.kind == Kind.DELIVERABLE]):
        due |= due_dates(enrollment, crew_of(enrollment).pks, shared)
    rows = [DueRow(row.kind, row.label, due[row.pk].due_at, _url(enrollment, row, now), due[row.pk]) for row in listed]
    return sorted(rows, key=lambda row: (row.due_at, row.kind))


def _url(enrollment: Enrollment, assignment: Assignment, now: datetime) -> str | None:
    if not (enrollment.is_staff or assignment.is_open(now)):
        return None
    return reverse(PAGES[assignment.kind], args=[enrollment.offering.slug, assignment.slug])
