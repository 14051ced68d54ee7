"""The first page of an offering: what is due next for a student, how the labs stand for staff."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median

from django.db.models import QuerySet
from django.urls import reverse

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment, Session
from courses.pages import StateChip
from grading.models import Status
from projects.deliverables.selectors import DeliverableState, deliverables_of
from projects.teams.selectors import TeamLine, lines_of
from readings.summaries.states import SummaryState, summary_states
from reviews.lists import AttemptRow, submissions_page
from reviews.regrades.models import ScoreChange
from reviews.regrades.notices import notices_of
from reviews.scores import Scored
from web.selectors.states import LabState, lab_states
from web.syllabus.topics import Part, parts

AROUND = timedelta(days=14)


@dataclass(frozen=True)
class NextDue:
    """The work that is due first and not handed in yet. `kind` is lab, reading or deliverable."""

    title: str
    url: str
    due_at: datetime
    kind: str


@dataclass(frozen=True)
class AssignmentRow:
    """One lab in the student's table; `url` is None while it is not open."""

    kind: str
    title: str
    url: str | None
    state: StateChip
    due_at: datetime
    due_why: str  # where it was moved for this student: from when, and by what
    opens_at: datetime
    score: Decimal | None
    max_score: Decimal
    attempts: int
    last_submission_url: str | None
    last_submitted_at: datetime | None
    action_label: str
    action_url: str | None


@dataclass(frozen=True)
class SessionRow:
    """One class meeting; `talks` counts those of teams in it, where the page tells."""

    date: date
    topic: str
    number: int
    is_today: bool
    talks: int = 0

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its title by the topics that it names."""
        return parts(self.topic)


@dataclass(frozen=True)
class DashboardPage:
    """The student's first page."""

    next: NextDue | None
    rows: tuple[AssignmentRow, ...]
    readings: tuple[SummaryState, ...]
    deliverables: tuple[DeliverableState, ...]
    sessions: tuple[SessionRow, ...]
    week_label: str
    notices: tuple[ScoreChange, ...]
    team: tuple[TeamLine, ...]
    now: datetime


@dataclass(frozen=True)
class LabOverview:
    """One lab for staff. Without a graded student there is no median."""

    title: str
    slug: str
    url: str
    submissions_url: str
    opens_at: datetime
    due_at: datetime
    is_open: bool
    published: bool
    submitted: int
    enrolled: int
    graded: int
    median: Decimal | None
    max_score: Decimal
    running: int
    needs_staff: int
    pending: int


@dataclass(frozen=True)
class StaffDashboardPage:
    """The first page of instructors and TAs."""

    labs: tuple[LabOverview, ...]
    recent: tuple[AttemptRow, ...]
    sessions: tuple[SessionRow, ...]
    week_label: str
    enrolled: int
    now: datetime


def dashboard_page(enrollment: Enrollment) -> DashboardPage:
    """What a student needs to know today."""
    now = clock.now()
    labs = lab_states(enrollment, now)
    readings = [state for state in summary_states(enrollment, now).values() if abs(state.due_at - now) <= AROUND]
    deliverables = deliverables_of(enrollment)
    sessions, week = _this_week(enrollment, now)
    return DashboardPage(
        next=_next_due(labs, readings, deliverables),
        rows=tuple(assignment_row(lab) for lab in labs),
        readings=tuple(readings),
        deliverables=deliverables,
        sessions=sessions,
        week_label=week,
        notices=notices_of(enrollment),
        team=lines_of(enrollment),
        now=now,
    )


def staff_dashboard_page(enrollment: Enrollment) -> StaffDashboardPage:
    """How each lab stands. The number of queries grows with the number of open labs, not with the students."""
    now = clock.now()
    labs = enrollment.offering.assignments.labs().select_related("lab")
    enrolled = Enrollment.objects.students().filter(offering=enrollment.offering).count()
    overviews: list[LabOverview] = []
    recent: list[AttemptRow] = []
    for lab in labs:
        rows = submissions_page(enrollment, lab).rows if lab.is_open(now) else ()
        overviews.append(_overview(enrollment, lab, rows, enrolled, now))
        recent += rows[:8]
    sessions, week = _this_week(enrollment, now)
    return StaffDashboardPage(
        labs=tuple(overviews),
        recent=tuple(sorted(recent, key=lambda row: row.created_at, reverse=True)[:8]),
        sessions=sessions,
        week_label=week,
        enrolled=enrolled,
        now=now,
    )


def assignment_row(lab: LabState) -> AssignmentRow:
    """A lab as a row: the best score so far, and the one thing to do next."""
    label, url = _action(lab)
    return AssignmentRow(
        kind=lab.assignment.kind,
        title=lab.assignment.label,
        url=lab.url,
        state=lab.chip,
        due_at=lab.due_at,
        due_why=lab.due.why,
        opens_at=lab.assignment.opens_at,
        score=lab.best.score if lab.best else None,
        max_score=(lab.best and lab.best.max_score) or lab.assignment.points,
        attempts=lab.attempts,
        last_submission_url=_result_url(lab.latest),
        last_submitted_at=lab.latest.submission.created_at if lab.latest else None,
        action_label=label,
        action_url=url,
    )


def _action(lab: LabState) -> tuple[str, str | None]:
    if lab.url is None or lab.assignment.lab is None:
        return "", lab.url
    if lab.latest is not None and lab.latest.chip.kind == "run":
        return "Watch", _result_url(lab.latest)
    if not lab.accepts:
        return ("See result", _result_url(lab.latest)) if lab.latest else ("Read", lab.url)
    return ("Continue" if lab.has_draft or lab.latest else "Start"), lab.url


def _result_url(scored: Scored | None) -> str | None:
    return reverse("submission", args=[scored.submission.pk]) if scored else None


def _next_due(
    labs: Sequence[LabState], readings: Sequence[SummaryState], deliverables: Sequence[DeliverableState]
) -> NextDue | None:
    coming = [
        NextDue(lab.assignment.label, lab.url, lab.due_at, "lab")
        for lab in labs
        if lab.accepts and lab.url and lab.latest is None
    ]
    coming += [
        NextDue(state.reading.paper.title, state.url, state.due_at, "reading")
        for state in readings
        if state.accepts and state.url and state.latest is None
    ]
    coming += [
        NextDue(state.deliverable.assignment.title, state.url, state.due_at, "deliverable")
        for state in deliverables
        if state.accepts and state.url and state.latest is None
    ]
    return min(coming, key=lambda due: (due.due_at, due.kind), default=None)


def _this_week(enrollment: Enrollment, now: datetime) -> tuple[tuple[SessionRow, ...], str]:
    """The sessions from Monday to Sunday, and the week's published number. One query."""
    today = enrollment.offering.day_of(now)
    monday = today - timedelta(days=today.weekday())
    sessions: QuerySet[Session] = enrollment.offering.sessions.filter(date__range=(monday, monday + timedelta(days=6)))
    listed = list(sessions)
    rows = tuple(SessionRow(row.date, row.topic, row.number, row.date == today) for row in listed)
    return rows, (listed[0].week_label if listed else "")


def _overview(
    enrollment: Enrollment, lab: Assignment, rows: tuple[AttemptRow, ...], enrolled: int, now: datetime
) -> LabOverview:
    of_class = [row for row in rows if row.in_class]
    counting = [row.score for row in of_class if row.counts and row.score is not None]
    kinds = Counter(row.chip.label for row in rows)
    slug = enrollment.offering.slug
    return LabOverview(
        title=lab.label,
        slug=lab.slug,
        url=reverse("lab", args=[slug, lab.slug]),
        submissions_url=reverse("lab-submissions", args=[slug, lab.slug]),
        opens_at=lab.opens_at,
        due_at=lab.due_at,
        is_open=lab.is_open(now),
        published=lab.lab is not None,
        submitted=sum(row.number == 1 for row in of_class),
        enrolled=enrolled,
        graded=len(counting),
        median=median(counting) if counting else None,
        max_score=lab.points,
        running=sum(row.chip.kind == "run" for row in rows),
        needs_staff=kinds[Status.NEEDS_STAFF.label],
        pending=sum(row.pending for row in rows),
    )
