"""Who hands in together with a student: the members of their team at this moment, or the student alone where that is allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from assignments.due.rules import DueDate, together
from assignments.due.selectors import grants_of
from assignments.models import Assignment
from courses.models import Enrollment
from projects.teams.models import Team, TeamRules
from projects.teams.rules import rules_of
from projects.teams.selectors import members_of, team_of

NO_TEAM = (
    "You are in no team yet, and deliverables are handed in by teams of {sizes}. Form a team or join one on the project's page; "
    "if you have to work alone, ask your course's staff."
)
TOO_SMALL = (
    "Your team “{team}” is smaller than the {smallest} members that a team needs, so it cannot hand in yet. Find a teammate on the "
    "project's page, or ask your course's staff to let you work as you are."
)


@dataclass(frozen=True)
class Crew:
    """Those whose work it would be now, `why_not` saying why they cannot hand in as they are; empty when they can."""

    team: Team | None
    members: tuple[Enrollment, ...]
    why_not: str = ""

    @property
    def pks(self) -> tuple[int, ...]:
        """Their enrollments' ids."""
        return tuple(member.pk for member in self.members)

    @property
    def name(self) -> str:
        """The team's, empty for a student alone."""
        return self.team.name if self.team else ""


def crew_of(enrollment: Enrollment) -> Crew:
    """A student with their teammates. Four queries at most."""
    team, rules = team_of(enrollment), rules_of(enrollment.offering)
    if team is None:
        why_not = NO_TEAM.format(sizes=sizes(rules)) if rules.smallest > 1 else ""
        return Crew(None, (enrollment,), why_not)
    why_not = TOO_SMALL.format(team=team.name, smallest=rules.smallest) if is_too_small(team, rules) else ""
    return Crew(team, tuple(members_of(team)), why_not)


def is_too_small(team: Team, rules: TeamRules) -> bool:
    """Whether the team lacks members, and staff did not let it. One query at most.

    A teammate who dropped the course after joining is still counted: nobody becomes unable to hand in by what another one does.
    """
    return not team.size_exception and team.memberships.filter(left_at=None).count() < rules.smallest


def sizes(rules: TeamRules) -> str:
    """As in "2 to 3"."""
    return f"{rules.smallest}" if rules.smallest == rules.largest else f"{rules.smallest} to {rules.largest}"


def due_dates(enrollment: Enrollment, crew: Collection[int], assignments: Iterable[Assignment]) -> dict[int, DueDate]:
    """When each deliverable is due for these people together, as `enrollment`, one of them, may read it. Two queries."""
    grants, zone = grants_of(crew), enrollment.offering.zone
    found = {}
    for assignment in assignments:
        dates = {person: grants[person].due_date(assignment, zone) for person in crew}
        own = dates.get(enrollment.pk)
        found[assignment.pk] = together(dates.values(), due_at=assignment.due_at, zone=zone, own=own)
    return found
