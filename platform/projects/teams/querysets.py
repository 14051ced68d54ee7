"""Questions over teams, their members and invitations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from projects.teams.models import Invitation, Membership, Team  # noqa: F401 - named in the base classes


class TeamQuerySet(models.QuerySet["Team"]):
    """Teams, by whether they still are."""

    def standing(self) -> Self:
        """Those that were not disbanded."""
        return self.filter(disbanded_at=None)


class MembershipQuerySet(models.QuerySet["Membership"]):
    """Memberships, by whether they go on."""

    def current(self) -> Self:
        """Of active students who have not left the team."""
        return self.filter(
            left_at=None,
            enrollment__dropped_at=None,
            enrollment__user__is_active=True,
            enrollment__role="student",
        )

    def untold(self) -> Self:
        """What staff did and the student has not put away yet."""
        return self.filter(Q(placed_by__isnull=False) | Q(removed_by__isnull=False), seen_at=None)


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Invitations, by whether they wait for an answer, and whose."""

    def waiting(self) -> Self:
        """Neither answered nor taken back."""
        return self.filter(accepted_at=None, declined_at=None, withdrawn_at=None)

    def of_active_students(self) -> Self:
        """To or by students who have not dropped meanwhile."""
        return self.filter(enrollment__dropped_at=None, enrollment__user__is_active=True, enrollment__role="student")
