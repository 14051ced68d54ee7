"""Who is in which team now. Other parts ask here: deliverables, presentations, the gradebook."""

from __future__ import annotations

from courses.models import Enrollment, Offering
from projects.teams.models import Membership, Team


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
