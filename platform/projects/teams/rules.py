"""The rules of an offering's teams, and the one lock under which all of its teams change."""

from __future__ import annotations

from datetime import datetime

from courses.models import Offering
from projects.teams.models import TeamRules


class TeamRefused(Exception):  # noqa: N818 - an answer to a person, not a fault
    """What cannot be done with a team; the text says why, and what to do. Nothing was changed."""


def rules_of(offering: Offering) -> TeamRules:
    """The offering's rules; where nobody has set any, the usual ones, not stored."""
    return TeamRules.objects.filter(offering=offering).first() or TeamRules(offering=offering)


def hold_teams(offering: Offering) -> TeamRules:
    """The same, held until the transaction ends.

    Sizes, places and names are decided by looking at several rows, so whoever changes a team of the offering holds this one row
    first: one act after the other, and no order of locks to get wrong.
    """
    TeamRules.objects.get_or_create(offering=offering)
    return TeamRules.objects.select_for_update().get(offering=offering)


def require_open(rules: TeamRules, now: datetime) -> None:
    """Raise `TeamRefused` where the lock date has passed."""
    if rules.locked(now):
        raise TeamRefused(
            "Teams are locked, so only course staff change them now. Nothing was changed; please ask them."
        )
