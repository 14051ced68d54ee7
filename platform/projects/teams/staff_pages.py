"""The staff's pages: all teams with what is wrong with them, one team, the rules, and what a change of many teams comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page

from config import clock
from courses.lists import holds, page_of
from courses.models import Enrollment
from projects.teams.forms import RulesForm, TeamForm
from projects.teams.models import Invitation, Membership, Team, TeamRules
from projects.teams.planning import Plan, snapshot_of
from projects.teams.rules import rules_of
from projects.teams.selectors import members_by_team
from projects.teams.sheet import TeamSheet

ALL, PROBLEMS, WITHOUT = "", "problems", "without"


@dataclass(frozen=True)
class TeamCard:
    """A team in the staff's list. `problem` says what is wrong with its size; an exception of staff makes it none."""

    team: Team
    members: tuple[Enrollment, ...]
    problem: str

    @property
    def odd(self) -> bool:
        """Whether staff need to look at it."""
        return bool(self.problem) and not self.team.size_exception


@dataclass(frozen=True)
class TeamsPage:
    """All teams of an offering by the filters, and its students without one. `all_teams` is where students can be put."""

    cards: Page[TeamCard]
    without: Page[Enrollment]
    all_teams: tuple[Team, ...]
    rules: TeamRules
    locked: bool
    students: int
    in_teams: int
    teams: int
    problems: int
    alone: int
    only: str
    q: str
    is_instructor: bool


@dataclass(frozen=True)
class TeamPage:
    """One team for staff: who is in it, who was, what it says of itself."""

    team: Team
    members: tuple[Enrollment, ...]
    history: tuple[Membership, ...]
    waiting: tuple[Invitation, ...]
    rules: TeamRules
    problem: str
    form: TeamForm


@dataclass(frozen=True)
class RulesPage:
    """The rules, and how many teams break them now."""

    form: RulesForm
    odd: int


@dataclass(frozen=True)
class PlanPage:
    """What a change comes to. `signed` is what the confirmation sends back; `sheet` and `file` are there for a file."""

    plan: Plan
    signed: str
    reason: str = ""
    exception: str = ""
    refusal: str = ""
    sheet: TeamSheet | None = None
    file: str = ""


@dataclass(frozen=True)
class ImportPage:
    """The form that sends a file; `refusal` says why the last one was not read."""

    refusal: str = ""


def teams_page(viewer: Enrollment, *, only: str = "", q: str = "", number: str = "") -> TeamsPage:
    """Six queries, however many teams there are. `q` finds teams, topics and people."""
    now, members = snapshot_of(viewer.offering), members_by_team(viewer.offering)
    only = only if only in {PROBLEMS, WITHOUT} else ALL
    cards = [card_of(team, members.get(team.pk, ()), now.rules) for team in now.teams.values()]
    alone = [row for row in now.students.values() if row.pk not in now.team_of]
    shown = [card for card in cards if (card.odd or only != PROBLEMS) and _matches(card, q)]
    listed = [row for row in alone if holds(q, row.user.name, row.user.email)]
    return TeamsPage(
        cards=page_of(shown if only != WITHOUT else [], number),
        without=page_of(listed, number if only == WITHOUT else ""),
        all_teams=tuple(now.teams.values()),
        rules=now.rules,
        locked=now.rules.locked(clock.now()),
        students=len(now.students),
        in_teams=len(now.students) - len(alone),
        teams=len(cards),
        problems=sum(card.odd for card in cards),
        alone=len(alone),
        only=only,
        q=q,
        is_instructor=viewer.is_instructor,
    )


def card_of(team: Team, members: Sequence[Enrollment], rules: TeamRules) -> TeamCard:
    """A team with what is wrong with its size."""
    return TeamCard(team, tuple(members), size_problem(len(members), rules))


def size_problem(size: int, rules: TeamRules) -> str:
    """What is wrong with a team of this many; empty for nothing."""
    if size == 0:
        return "Nobody is in it"
    if size < rules.smallest:
        return f"Too small: {size} of at least {rules.smallest}"
    if size > rules.largest:
        return f"Too large: {size} of at most {rules.largest}"
    return ""


def team_page(viewer: Enrollment, team: Team, *, form: TeamForm | None = None) -> TeamPage:
    """Four queries."""
    rules = rules_of(viewer.offering)
    rows = team.memberships.select_related("enrollment__user", "placed_by", "removed_by", "placed_from")
    members = members_by_team(viewer.offering).get(team.pk, []) if team.disbanded_at is None else []
    waiting = Invitation.objects.waiting().filter(team=team).select_related("enrollment__user", "invited_by")
    return TeamPage(
        team=team,
        members=tuple(members),
        history=tuple(rows.order_by("-joined_at", "-pk")),
        waiting=tuple(waiting),
        rules=rules,
        problem=size_problem(len(members), rules) if team.disbanded_at is None else "",
        form=form or TeamForm(team=team),
    )


def rules_page(viewer: Enrollment, data: Mapping[str, Any] | None = None) -> RulesPage:
    """The form, filled with `data` where something was posted."""
    now, members = snapshot_of(viewer.offering), members_by_team(viewer.offering)
    odd = sum(card_of(team, members.get(pk, ()), now.rules).odd for pk, team in now.teams.items())
    return RulesPage(RulesForm(data, offering=viewer.offering, rules=now.rules), odd)


def _matches(card: TeamCard, q: str) -> bool:
    people = (field for row in card.members for field in (row.user.name, row.user.email))
    return holds(q, card.team.name, card.team.topic, *people)
