"""Who is in which team now, and what waits for an answer. Other parts ask here: deliverables, presentations, the gradebook."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from assignments.due.rules import in_full
from config import clock
from courses.models import Enrollment, Offering
from projects.teams.models import Invitation, Membership, Team, TeamRules
from projects.teams.notices import notices_of
from projects.teams.querysets import InvitationQuerySet
from projects.teams.rules import rules_of


def team_of(enrollment: Enrollment) -> Team | None:
    """The student's team now; None without one, and for someone who dropped."""
    membership = Membership.objects.current().select_related("team").filter(enrollment=enrollment).first()
    return membership.team if membership else None


def members_of(team: Team) -> list[Enrollment]:
    """The team's members now, each with their user, sorted by name."""
    memberships = team.memberships.current().select_related("enrollment__user")
    return [row.enrollment for row in memberships.order_by("enrollment__user__sort_name", "enrollment_id")]


def teams_by_member(offering: Offering) -> dict[int, Team]:
    """The team of each student who has one, by the enrollment's id. One query."""
    memberships = Membership.objects.current().select_related("team").filter(team__offering=offering)
    return {row.enrollment_id: row.team for row in memberships}


def members_by_team(offering: Offering) -> dict[int, list[Enrollment]]:
    """The members of each team now, by the team's id, each with their user, sorted by name. One query."""
    memberships = Membership.objects.current().select_related("enrollment__user").filter(team__offering=offering)
    found: dict[int, list[Enrollment]] = {}
    for row in memberships.order_by("enrollment__user__sort_name", "enrollment_id"):
        found.setdefault(row.team_id, []).append(row.enrollment)
    return found


def students_of(offering: Offering) -> list[Enrollment]:
    """All students now, each with their user, in the order of a class list. One query."""
    return list(Enrollment.objects.students().select_related("user").filter(offering=offering))


def waiting_for(enrollment: Enrollment) -> int:
    """How many invitations, questions to the student's team, and notices wait for this student. Three queries at most."""
    if not enrollment.is_student:
        return 0
    notices = Membership.objects.untold().filter(enrollment=enrollment).count()
    return notices + _to_answer(enrollment, rules_of(enrollment.offering)).count()


@dataclass(frozen=True)
class TeamLine:
    """A sentence about the student's team for their overview, and whether it asks for something."""

    text: str
    urgent: bool = False


def lines_of(enrollment: Enrollment) -> tuple[TeamLine, ...]:
    """What the student's overview says about their team; nothing where all is well. Four queries at most."""
    rules = TeamRules.objects.filter(offering=enrollment.offering).first()
    lines = [TeamLine(notice.text, urgent=True) for notice in notices_of(enrollment)]
    answers = list(_to_answer(enrollment, rules).select_related("team", "enrollment__user"))
    lines += [TeamLine(_asks(row, enrollment), urgent=True) for row in answers]
    if not answers and rules and not rules.locked(clock.now()) and team_of(enrollment) is None:
        until = f" Teams change until {in_full(rules.lock_at, enrollment.offering.zone)}." if rules.lock_at else ""
        lines.append(TeamLine(f"You are in no team for the project yet.{until}"))
    return tuple(lines)


def _asks(row: Invitation, enrollment: Enrollment) -> str:
    if row.enrollment_id == enrollment.pk:
        return f"The team “{row.team.name}” invites you to join."
    return f"{row.enrollment.user.name} asks to join your team “{row.team.name}”."


def _to_answer(enrollment: Enrollment, rules: TeamRules | None) -> InvitationQuerySet:
    """Those that the student may answer; after the lock nobody can say yes, so nothing waits, and no query is made."""
    if rules and rules.locked(clock.now()):
        return Invitation.objects.none()
    mine = Membership.objects.current().filter(enrollment=enrollment).order_by().values("team")
    to_me = Q(enrollment=enrollment, by_student=False)
    to_us = Q(by_student=True, team__in=mine)
    return Invitation.objects.waiting().of_active_students().filter(to_me | to_us)
