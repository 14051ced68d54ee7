"""A deliverable for staff: which teams handed it in, how each submission stands, and who belongs to none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page

from assignments.due.rules import DueDate
from assignments.due.selectors import decided_for_all
from config import clock
from courses.lists import holds, page_of
from courses.models import Enrollment
from courses.pages import StateChip
from projects.deliverables.models import Deliverable
from projects.deliverables.states import graded_among
from projects.teams.models import Membership, Team
from reviews.marking.scores import latest_of_students
from reviews.models import RubricItem
from reviews.releases.standing import released_since
from submissions.models import Submission

CHIPS = {
    "nothing": StateChip("muted", "Nothing yet", "circle"),
    "missed": StateChip("fail", "Not handed in"),
    "handed-in": StateChip("run", "To grade", "inbox"),
    "graded": StateChip("warn", "Graded, not released", "clock"),
    "released": StateChip("pass", "Released"),
    "slides": StateChip("pass", "Handed in"),
}


@dataclass(frozen=True)
class CrewRow:
    """A team, or a student without one (`name` is theirs then). `due` is told where it is later than everyone's.

    `without` names members for whom another submission counts, or none: they joined after this one.
    """

    name: str
    is_team: bool
    members: tuple[str, ...]
    submission: Submission | None
    chip: StateChip
    due_at: datetime
    moved: bool
    without: tuple[str, ...]
    addresses: tuple[str, ...]

    def holds(self, text: str) -> bool:
        """Whether its name, or a member's name or address, holds the text."""
        return holds(text, self.name, *self.members, *self.addresses)


@dataclass(frozen=True)
class OverviewPage:
    """One deliverable with all teams, and after them all students without one. `rows` is a page of those that match `q`."""

    deliverable: Deliverable
    items: tuple[RubricItem, ...]
    rows: Page[CrewRow]
    q: str
    teams: int
    handed_in: int
    alone: int
    graded: int
    released: int
    chip: StateChip
    is_instructor: bool


@dataclass(frozen=True)
class _Known:
    """What the database says of the class's work, by submission id or by student."""

    deliverable: Deliverable
    counting: Mapping[int, int]
    submissions: Mapping[int, Submission]
    graded: set[int]
    released: Mapping[int, datetime]
    dates: Mapping[int, DueDate]
    now: datetime


def overview_page(enrollment: Enrollment, deliverable: Deliverable, *, q: str, number: str) -> OverviewPage:
    """The whole class. The number of queries does not grow with it."""
    assignment = deliverable.assignment
    students = list(enrollment.offering.enrollments.students().select_related("user"))
    teams = _teams(enrollment, students)
    known = _known(deliverable, students)
    in_teams = {member.pk for members in teams.values() for member in members}
    rows = [_row(team.name, members, known, team=team) for team, members in teams.items()]
    alone = [student for student in students if student.pk not in in_teams]
    rows += [_row(student.user.name, [student], known) for student in alone]
    work = [row.submission for row in rows if row.submission is not None]
    return OverviewPage(
        deliverable=deliverable,
        items=tuple(RubricItem.objects.filter(rubric__assignment=assignment).prefetch_related("levels")),
        rows=page_of([row for row in rows if row.holds(q)], number),
        q=q,
        teams=len(teams),
        handed_in=len(work),
        alone=len(alone),
        graded=sum(row.pk in known.graded for row in work),
        released=sum(row.pk in known.released for row in work),
        chip=_chip(deliverable, known.now),
        is_instructor=enrollment.is_instructor,
    )


def _teams(enrollment: Enrollment, students: Sequence[Enrollment]) -> dict[Team, list[Enrollment]]:
    """Every team that stands, with its members among the students. One query."""
    listed = {student.pk for student in students}
    current = Membership.objects.current().filter(team__offering=enrollment.offering)
    found: defaultdict[Team, list[Enrollment]] = defaultdict(list)
    for row in current.select_related("team", "enrollment__user").order_by("team__name", "enrollment__user__sort_name"):
        if row.enrollment_id in listed:
            found[row.team].append(row.enrollment)
    return found


def _known(deliverable: Deliverable, students: Sequence[Enrollment]) -> _Known:
    assignment = deliverable.assignment
    counting = {student: pk for (student, _), pk in latest_of_students(assignment).items()}
    submissions = Submission.objects.select_related("enrollment__user").in_bulk(set(counting.values()))
    return _Known(
        deliverable=deliverable,
        counting=counting,
        submissions=submissions,
        graded=graded_among(submissions.values()),
        released=released_since(submissions.values()),
        dates=decided_for_all(assignment, [student.pk for student in students]),
        now=clock.now(),
    )


def _row(name: str, members: Sequence[Enrollment], known: _Known, *, team: Team | None = None) -> CrewRow:
    """The latest work that counts for any of its members."""
    counting = [known.counting[member.pk] for member in members if member.pk in known.counting]
    submission = known.submissions[max(counting)] if counting else None
    due_at = max(known.dates[member.pk].due_at for member in members)
    return CrewRow(
        name=name,
        is_team=team is not None,
        members=tuple(member.user.name for member in members) if team else (),
        submission=submission,
        chip=CHIPS[_state(submission, due_at, known)],
        due_at=due_at,
        moved=due_at > known.deliverable.assignment.due_at,
        without=tuple(
            member.user.name for member in members if submission and known.counting.get(member.pk) != submission.pk
        ),
        addresses=tuple(member.user.email for member in members),
    )


def _state(submission: Submission | None, due_at: datetime, known: _Known) -> str:
    if submission is None:
        return "nothing" if known.now.replace(microsecond=0) <= due_at else "missed"
    if submission.pk in known.released:
        return "released"
    if known.deliverable.assignment.scored_elsewhere:
        return "slides"
    return "graded" if submission.pk in known.graded else "handed-in"


def _chip(deliverable: Deliverable, now: datetime) -> StateChip:
    assignment = deliverable.assignment
    if not assignment.is_open(now):
        return StateChip("muted", "Not open yet")
    return (
        StateChip("muted", "Due moment passed", "lock")
        if now > assignment.due_at
        else StateChip("run", "Open", "pencil")
    )
