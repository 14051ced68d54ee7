"""The reading list as a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from assignments.selectors import due_dates
from config import clock
from courses.models import Enrollment
from courses.pages import StateChip
from readings.models import Reading


@dataclass(frozen=True)
class ReadingRow:
    """One paper. `link` is empty when we know no address; `anchor` is the row's id on the page."""

    number: int
    anchor: str
    title: str
    authors: str
    venue: str
    topic_hint: str
    arxiv_id: str
    link: str
    due_at: datetime
    state: StateChip
    hidden: bool


@dataclass(frozen=True)
class ReadingsPage:
    """All papers, in order; students see the ones that are not hidden."""

    rows: tuple[ReadingRow, ...]
    next_number: int | None
    is_staff: bool


def readings_page(enrollment: Enrollment) -> ReadingsPage:
    """The reading list of the viewer's offering. Two queries."""
    listed = list(Reading.objects.seen_by(enrollment))
    due = due_dates(enrollment, [reading.assignment for reading in listed])
    now = clock.now()
    rows = tuple(_row(reading, due[reading.assignment_id], now) for reading in listed)
    coming = [row.number for row in rows if row.due_at >= now]
    return ReadingsPage(rows=rows, next_number=min(coming, default=None), is_staff=enrollment.is_staff)


def _row(reading: Reading, due_at: datetime, now: datetime) -> ReadingRow:
    paper = reading.paper
    return ReadingRow(
        number=reading.assignment.number,
        anchor=f"reading-{reading.assignment.number}",
        title=paper.title,
        authors=paper.authors,
        venue=f"{paper.venue} {paper.year}" if paper.year else paper.venue,
        topic_hint=paper.topic_hint,
        arxiv_id=paper.arxiv_id,
        link=paper.link,
        due_at=due_at,
        state=StateChip("muted", "Past")
        if due_at < now
        else StateChip("warn", "Due this week")
        if (due_at - now).days < 7
        else StateChip("muted", "Upcoming"),
        hidden=reading.hidden,
    )
