"""What the pages of attendance show: the grid, a session, and one student's record."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from django.core.paginator import Page
from django.db.models import Count, Q, QuerySet

from attendance.marks import MARKS, Mark, how, mark_of
from attendance.models import Attendance, ParticipationPoint, Presence
from attendance.rule import ParticipationScore, Rule, score
from attendance.scores import rules_of, tallies
from attendance.sessions import SessionState, open_sessions, session_states, state_of
from config import clock
from courses.lists import holds, page_of
from courses.models import Enrollment, Offering, Session


@dataclass(frozen=True)
class GridRow:
    """One student: each session with its mark, and what they make."""

    student: Enrollment
    marks: tuple[tuple[SessionState, Mark], ...]
    score: ParticipationScore


@dataclass(frozen=True)
class GridPage:
    """Students by sessions, a hundred students at a time; sessions that have come, and others where something is recorded."""

    sessions: tuple[SessionState, ...]
    rows: tuple[GridRow, ...]
    students: Page[Enrollment]
    today: SessionState | None
    open_now: tuple[SessionState, ...]
    counted: int
    legend: tuple[Mark, ...]
    rule: Rule
    q: str


@dataclass(frozen=True)
class SessionsRow:
    """A session and its counts."""

    state: SessionState
    present: int
    excused: int


@dataclass(frozen=True)
class SessionsPage:
    """Every session of the term, with how many stand in it as what."""

    rows: tuple[SessionsRow, ...]
    students: int


@dataclass(frozen=True)
class SessionRow:
    """One student in one session. `row` is None where nothing is recorded."""

    student: Enrollment
    mark: Mark
    how: str
    row: Attendance | None


@dataclass(frozen=True)
class SessionPage:
    """A session, its check-in, and a page of its students."""

    state: SessionState
    rows: tuple[SessionRow, ...]
    students: Page[Enrollment]
    present: int
    enrolled: int
    may_leave_out: bool
    q: str
    refusal: str
    minutes: str
    reason: str


@dataclass(frozen=True)
class RecordRow:
    """A session in a student's record."""

    state: SessionState
    mark: Mark
    how: str
    row: Attendance | None
    same_day: bool


@dataclass(frozen=True)
class RecordPage:
    """A student's own attendance and points, what they make, and by which rule. Staff see the same page."""

    student: Enrollment
    rows: tuple[RecordRow, ...]
    points: tuple[ParticipationPoint, ...]
    score: ParticipationScore
    open_now: tuple[SessionState, ...]
    for_staff: bool


def grid_page(viewer: Enrollment, *, q: str = "", number: str = "") -> GridPage:
    """The grid. Eight queries, whatever the size of the class."""
    offering = viewer.offering
    states = session_states(offering, clock.now())
    shown = page_of(students_of(offering, q), number)
    pks = [student.pk for student in shown]
    presence = {
        (session, student): value
        for session, student, value in Attendance.objects.filter(enrollment__in=pks).values_list(
            "session_id", "enrollment_id", "presence"
        )
    }
    recorded = {session for session, _ in presence}
    columns = tuple(state for state in states if not state.coming or state.taken or state.session.pk in recorded)
    rule, found = rules_of(offering).rule, tallies(offering, pks)
    return GridPage(
        sessions=columns,
        rows=tuple(
            GridRow(
                student,
                tuple((state, mark_of(state, presence.get((state.session.pk, student.pk)))) for state in columns),
                score(found[student.pk], rule),
            )
            for student in shown
        ),
        students=shown,
        today=next((state for state in states if state.is_today), None),
        open_now=tuple(open_sessions(states)),
        counted=sum(state.counts for state in states),
        legend=tuple(MARKS.values()),
        rule=rule,
        q=q,
    )


def sessions_page(viewer: Enrollment) -> SessionsPage:
    """The whole term. Three queries."""
    students = Enrollment.objects.students().filter(offering=viewer.offering)
    rows = Attendance.objects.filter(session__offering=viewer.offering, enrollment__in=students.order_by())
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for session, presence, times in rows.order_by().values_list("session_id", "presence").annotate(n=Count("pk")):
        counts[session][presence] = times
    return SessionsPage(
        rows=tuple(
            SessionsRow(
                state,
                counts[state.session.pk].get(Presence.PRESENT, 0),
                counts[state.session.pk].get(Presence.EXCUSED, 0),
            )
            for state in session_states(viewer.offering, clock.now())
        ),
        students=students.count(),
    )


def session_page(
    viewer: Enrollment,
    session: Session,
    *,
    q: str = "",
    number: str = "",
    refusal: str = "",
    minutes: str = "10",
    reason: str = "",
) -> SessionPage:
    """One session; with a refusal, also what was typed. Four queries."""
    state = state_of(session, clock.now())
    shown = page_of(students_of(viewer.offering, q), number)
    recorded = _by_student(Attendance.objects.filter(session=session, enrollment__in=[row.pk for row in shown]))
    present, enrolled = turnout(session)
    return SessionPage(
        state=state,
        rows=tuple(_session_row(state, student, recorded.get(student.pk)) for student in shown),
        students=shown,
        present=present,
        enrolled=enrolled,
        may_leave_out=viewer.is_instructor,
        q=q,
        refusal=refusal,
        minutes=minutes,
        reason=reason,
    )


def record_page(student: Enrollment, *, for_staff: bool = False) -> RecordPage:
    """One student's record. Seven queries."""
    offering, states = student.offering, session_states(student.offering, clock.now())
    own = student.attendances.select_related("recorded_by")
    recorded = {row.session_id: row for row in own}
    rows = tuple(_record_row(state, recorded.get(state.session.pk)) for state in states)
    points = student.participation.select_related("enrollment__user", "given_by", "withdrawn_by", "session")
    return RecordPage(
        student=student,
        rows=tuple(row for row in rows if row.row or not row.state.coming),
        points=tuple(points),
        score=score(tallies(offering, [student.pk])[student.pk], rules_of(offering).rule),
        open_now=tuple(open_sessions(states)),
        for_staff=for_staff,
    )


def students_of(offering: Offering, q: str) -> list[Enrollment]:
    """The active students whose name or address holds the text, in the order of a class list. One query."""
    found = Enrollment.objects.students().filter(offering=offering).select_related("user")
    return [student for student in found if _holds(student, q)]


def turnout(session: Session) -> tuple[int, int]:
    """How many active students are present, and of how many. One query."""
    students = Enrollment.objects.students().filter(offering=session.offering_id).order_by()
    here = Q(attendances__session=session, attendances__presence=Presence.PRESENT)
    found = students.aggregate(present=Count("pk", filter=here, distinct=True), enrolled=Count("pk", distinct=True))
    return found["present"], found["enrolled"]


def _holds(student: Enrollment, q: str) -> bool:
    return holds(q, student.user.name, student.user.sort_name, student.user.email)


def _by_student(rows: QuerySet[Attendance]) -> dict[int, Attendance]:
    return {row.enrollment_id: row for row in rows.select_related("recorded_by")}


def _session_row(state: SessionState, student: Enrollment, row: Attendance | None) -> SessionRow:
    return SessionRow(student, mark_of(state, row.presence if row else None), how(row, state), row)


def _record_row(state: SessionState, row: Attendance | None) -> RecordRow:
    same_day = row is not None and state.session.offering.day_of(row.recorded_at) == state.session.date
    return RecordRow(state, mark_of(state, row.presence if row else None), how(row, state), row, same_day)
