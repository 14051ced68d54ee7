"""The reading list as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from assignments.due.rules import DueDate
from assignments.due.selectors import decided
from config import clock
from courses.models import Enrollment, Offering
from courses.pages import StateChip
from readings.keeping.dates import summaries_by_assignment
from readings.keeping.entry import PaperEntry
from readings.models import Reading
from readings.summaries.states import SummaryState, summary_states

NAMED = 3


@dataclass(frozen=True)
class ReadingRow:
    """One paper. `link` is empty when we know no address; `anchor` is the row's id on the page; `url` is None while it is not open."""

    number: int
    slug: str
    anchor: str
    url: str | None
    title: str
    authors: str
    venue: str
    topic_hint: str
    arxiv_id: str
    link: str
    due_at: datetime
    due_why: str  # where it was moved for this student: from when, and by what
    state: StateChip
    hidden: bool

    @property
    def byline(self) -> str:
        """The first authors, and how many there are besides them."""
        names = self.authors.split(", ")
        return self.authors if len(names) <= NAMED + 1 else f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


@dataclass(frozen=True)
class ArchivedRow:
    """A paper that was taken off the list and kept for its summaries."""

    slug: str
    title: str
    archived_at: datetime
    summaries: int


@dataclass(frozen=True)
class ReadingsPage:
    """All papers, in order; students see the ones that are not hidden. Staff see the archive, instructors edit.

    `editing` is the row that is open as a form.
    """

    rows: tuple[ReadingRow, ...]
    next_number: int | None
    is_staff: bool
    can_edit: bool
    archived: tuple[ArchivedRow, ...]
    editing: PaperEntry | None = None


def readings_page(enrollment: Enrollment, editing: PaperEntry | None = None) -> ReadingsPage:
    """The reading list of the viewer's offering, with a student's own summaries. The number of queries does not depend on its length."""
    listed = list(Reading.objects.seen_by(enrollment))
    due = decided(enrollment, [reading.assignment for reading in listed])
    now = clock.now()
    own = {} if enrollment.is_staff else summary_states(enrollment, now, listed)
    rows = tuple(_row(enrollment, reading, due[reading.assignment_id], now, own) for reading in listed)
    coming = [row.number for row in rows if row.due_at >= now]
    return ReadingsPage(
        rows=rows,
        next_number=min(coming, default=None),
        is_staff=enrollment.is_staff,
        can_edit=enrollment.is_instructor,
        archived=_archive(enrollment.offering) if enrollment.is_staff else (),
        editing=editing,
    )


def _archive(offering: Offering) -> tuple[ArchivedRow, ...]:
    readings = list(Reading.objects.of(offering).archived())
    summaries = summaries_by_assignment(reading.assignment_id for reading in readings)
    return tuple(
        ArchivedRow(row.assignment.slug, row.paper.title, row.archived_at, summaries.get(row.assignment_id, 0))
        for row in readings
        if row.archived_at is not None
    )


def _row(
    enrollment: Enrollment, reading: Reading, due: DueDate, now: datetime, own: Mapping[int, SummaryState]
) -> ReadingRow:
    paper, state = reading.paper, own.get(reading.assignment_id)
    return ReadingRow(
        number=reading.assignment.number,
        slug=reading.assignment.slug,
        anchor=f"reading-{reading.assignment.number}",
        url=state.url if state else reverse("reading", args=[enrollment.offering.slug, reading.assignment.slug]),
        title=paper.title,
        authors=paper.authors,
        venue=f"{paper.venue} {paper.year}" if paper.year else paper.venue,
        topic_hint=paper.topic_hint,
        arxiv_id=paper.arxiv_id,
        link=paper.link,
        due_at=due.due_at,
        due_why=due.why,
        state=state.chip if state else _when(due.due_at, now),
        hidden=reading.hidden,
    )


def _when(due_at: datetime, now: datetime) -> StateChip:
    """For staff, who hand nothing in."""
    if due_at < now:
        return StateChip("muted", "Past")
    return StateChip("warn", "Due this week") if (due_at - now).days < 7 else StateChip("muted", "Upcoming")
