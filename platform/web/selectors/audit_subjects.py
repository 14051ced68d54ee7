"""What an audit event is about, in words: one line a kind of subject.

The trail itself knows names and numbers of rows alone; a row that is gone is named by its number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.urls import reverse

from assignments.due.models import Accommodation, Extension
from assignments.models import Assignment
from attendance.models import Attendance, AttendanceRules, CheckInWindow, LeftOut, ParticipationPoint
from audit.models import AuditEvent
from courses.models import Enrollment, Offering
from gradebook.models import AtRiskRules, Decision, PolicyChange, Snapshot
from gradebook.sources.decisions import part_key
from projects.teams.models import Membership, Team, TeamRules
from reviews.models import Rubric
from reviews.regrades.models import LabRegrade
from reviews.releases.models import Release
from submissions.models import Submission


@dataclass(frozen=True)
class Subject:
    """How an event's subject is named; `student` and `url` are empty where there is none."""

    label: str
    student: str = ""
    url: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind of subject: what is read with it, the way from it to its student's enrollment, and its name and address.

    `word` names the kind in the filter; `of_scores`: teaching assistants may read what was done to it.
    """

    word: str
    model: type[Model]
    related: tuple[str, ...]
    label: Callable[[Any], str]
    student: str | None = None
    url: Callable[[Any], str] = lambda _: ""
    of_scores: bool = True


def _session_url(row: Any) -> str:
    return reverse("attendance-session", args=[row.session.offering.slug, row.session.pk])


def _lab_url(name: str, assignment: Assignment, *rest: object) -> str:
    return reverse(name, args=[assignment.offering.slug, assignment.slug, *rest])


KINDS = {
    "Submission": Kind(
        "Work of a student",
        Submission,
        ("assignment", "enrollment__user"),
        lambda row: f"{row.assignment.label}, attempt {row.number}",
        student="enrollment",
        url=lambda row: reverse("submission", args=[row.pk]),
    ),
    "Assignment": Kind("Assignment", Assignment, ("offering",), lambda row: row.label),
    "Rubric": Kind("Rubric", Rubric, ("assignment",), lambda row: f"Rubric of {row.assignment.label}"),
    "Release": Kind(
        "Release",
        Release,
        ("assignment__offering",),
        lambda row: f"Release of {row.assignment.label}",
        url=lambda row: _lab_url("release", row.assignment),
    ),
    "LabRegrade": Kind(
        "Regrade of a lab",
        LabRegrade,
        ("assignment__offering",),
        str,
        url=lambda row: _lab_url("lab-regrade", row.assignment, row.number),
    ),
    "Extension": Kind(
        "Extension",
        Extension,
        ("assignment", "enrollment__user"),
        lambda row: f"Extension of {row.assignment.label}",
        student="enrollment",
        of_scores=False,
    ),
    "Accommodation": Kind(
        "Accommodation",
        Accommodation,
        ("enrollment__user",),
        lambda _: "Standing extra time",
        student="enrollment",
        of_scores=False,
    ),
    "Team": Kind(
        "Team",
        Team,
        ("offering",),
        lambda row: f"Team {row.name}",
        url=lambda row: reverse("team", args=[row.offering.slug, row.pk]),
    ),
    "Membership": Kind(
        "Place in a team",
        Membership,
        ("team__offering", "enrollment__user"),
        lambda row: f"Place in {row.team.name}",
        student="enrollment",
        url=lambda row: reverse("team", args=[row.team.offering.slug, row.team.pk]),
    ),
    "TeamRules": Kind("Rules of teams", TeamRules, ("offering",), lambda _: "Rules of teams"),
    "Decision": Kind(
        "Decision about a grade",
        Decision,
        ("assignment", "component", "enrollment__user", "enrollment__offering"),
        lambda row: f"Decision about {row.assignment.label if row.assignment else row.component.name}",
        student="enrollment",
        url=lambda row: reverse("student-part", args=[row.enrollment.offering.slug, row.enrollment_id, part_key(row)]),
    ),
    "Attendance": Kind(
        "Attendance",
        Attendance,
        ("session__offering", "enrollment__user"),
        lambda row: f"Attendance in {row.session.topic}",
        student="enrollment",
        url=_session_url,
    ),
    "ParticipationPoint": Kind(
        "Participation points",
        ParticipationPoint,
        ("enrollment__user", "enrollment__offering"),
        lambda _: "Participation points",
        student="enrollment",
        url=lambda row: reverse("participation", args=[row.enrollment.offering.slug]),
    ),
    "CheckInWindow": Kind(
        "Check-in",
        CheckInWindow,
        ("session__offering",),
        lambda row: f"Check-in of {row.session.topic}",
        url=_session_url,
    ),
    "LeftOut": Kind(
        "Session left out",
        LeftOut,
        ("session__offering",),
        lambda row: f"{row.session.topic}, left out",
        url=_session_url,
    ),
    "AttendanceRules": Kind(
        "Rule of attendance",
        AttendanceRules,
        ("offering",),
        lambda _: "Rule of attendance",
        url=lambda row: reverse("attendance-rules", args=[row.offering.slug]),
    ),
    "Enrollment": Kind(
        "Role", Enrollment, ("user",), lambda row: f"Place of {row.user.name}", student="self", of_scores=False
    ),
    "Offering": Kind("Offering", Offering, ("course",), lambda _: "The offering", of_scores=False),
    "PolicyChange": Kind(
        "Grading scheme",
        PolicyChange,
        ("offering",),
        lambda row: f"Change {row.revision} of the grading scheme",
        url=lambda row: reverse("grading-change", args=[row.offering.slug, row.pk]),
    ),
    "Snapshot": Kind(
        "Snapshot of grades",
        Snapshot,
        ("offering",),
        lambda row: f"Snapshot {row.pk}",
        url=lambda row: reverse("snapshot", args=[row.offering.slug, row.pk]),
    ),
    "AtRiskRules": Kind("At-risk rules", AtRiskRules, ("offering",), lambda _: "At-risk rules", of_scores=False),
}
OF_SCORES = frozenset(name for name, kind in KINDS.items() if kind.of_scores)


def subjects_of(events: Iterable[AuditEvent]) -> dict[tuple[str, int], Subject]:
    """By type and number. One query a kind, whatever the events speak of; number 0 is nobody's and asks all the same."""
    wanted: dict[str, set[int]] = defaultdict(lambda: {0})
    for event in events:
        wanted[event.subject_type].add(event.subject_id)
    return {
        (name, row.pk): Subject(kind.label(row), _student(kind, row), kind.url(row))
        for name, kind in KINDS.items()
        for row in kind.model._default_manager.filter(pk__in=wanted[name]).select_related(*kind.related)  # noqa: SLF001 - Django's name for any model's rows
    }


def about_students(enrollments: QuerySet[Enrollment]) -> Q:
    """Events whose subject is a row of one of these people."""
    wanted = Q(pk__in=())
    people = enrollments.order_by().values("pk")
    for name, kind in KINDS.items():
        if kind.student is not None:
            field = "pk" if kind.student == "self" else kind.student
            rows = kind.model._default_manager.filter(**{f"{field}__in": people}).order_by()  # noqa: SLF001 - as above
            wanted |= Q(subject_type=name, subject_id__in=rows.values("pk"))
    return wanted


def _student(kind: Kind, row: Any) -> str:
    if kind.student is None:
        return ""
    owner = row if kind.student == "self" else reduce(getattr, kind.student.split("__"), row)
    return str(owner.user.name)
