"""Whose time to hand something in has passed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from assignments.due.selectors import grants_of
from assignments.models import Assignment, Kind
from config import clock
from courses.models import Offering
from projects.teams.models import Membership

Passed = Callable[[int, Assignment], bool]


def passed(offering: Offering, students: Collection[int]) -> Passed:
    """Asks for a student, by id, and an assignment whether nothing more is accepted. Three queries, asked once.

    A project's work is due at the latest date of those who are in the team now: what one was granted takes nothing from the others.
    """
    now = clock.now().replace(microsecond=0)  # the second of the due moment itself still counts
    together, zone = teammates(offering), offering.zone
    grants = grants_of({*students, *(member for members in together.values() for member in members)})

    def due(student: int, assignment: Assignment) -> datetime:
        shared = together.get(student, ()) if assignment.kind == Kind.DELIVERABLE else ()
        granted = [pk for pk in {student, *shared} if pk in grants]
        return max((grants[pk].due_date(assignment, zone).due_at for pk in granted), default=assignment.due_at)

    return lambda student, assignment: now > due(student, assignment)


def teammates(offering: Offering) -> dict[int, tuple[int, ...]]:
    """By id of a student who is in a team, everyone in it now. One query."""
    teams: dict[int, list[int]] = {}
    rows = Membership.objects.current().filter(team__offering=offering).order_by()
    for team, member in rows.values_list("team_id", "enrollment_id"):
        teams.setdefault(team, []).append(member)
    return {member: tuple(members) for members in teams.values() for member in members}
