"""The students' pages: their project with its team, and the board for those who look for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page

from config import clock
from courses.lists import holds, page_of
from courses.models import Enrollment
from projects.teams.forms import InviteForm, PostForm, TeamForm
from projects.teams.models import Invitation, Membership, Seeker, Team, TeamRules
from projects.teams.notices import Notice, notices_of
from projects.teams.rules import rules_of
from projects.teams.selectors import members_by_team, students_of, team_of, teams_by_member


@dataclass(frozen=True)
class TeamView:
    """A team as its members see it. `past` are those who left, `asked` waits for their answer, `invited` for that of others."""

    team: Team
    members: tuple[Membership, ...]
    past: tuple[Membership, ...]
    invited: tuple[Invitation, ...]
    asked: tuple[Invitation, ...]
    free: int
    too_small: bool

    @property
    def is_last(self) -> bool:
        """Whether the team is disbanded when the viewer leaves."""
        return len(self.members) == 1


@dataclass(frozen=True)
class ProjectPage:
    """A student's project. Without a team there are invitations to answer and questions that wait; with one, its view."""

    rules: TeamRules
    locked: bool
    notices: tuple[Notice, ...]
    own: TeamView | None
    invitations: tuple[Invitation, ...]
    questions: tuple[Invitation, ...]
    post: Seeker | None
    classmates: tuple[str, ...]
    team_form: TeamForm
    invite_form: InviteForm


@dataclass(frozen=True)
class BoardTeam:
    """A team with a free place, and how the viewer stands to it: "asked", "invited" or nothing."""

    team: Team
    members: tuple[Enrollment, ...]
    free: int
    state: str


@dataclass(frozen=True)
class BoardPerson:
    """A student without a team, what they wrote, and how the viewer's team stands to them: "asked", "invited" or nothing."""

    student: Enrollment
    text: str
    posted_at: datetime | None
    state: str
    is_viewer: bool


@dataclass(frozen=True)
class BoardPage:
    """Teams with a free place or students without a team, by `show`. `may_ask`, `may_invite`: what the viewer can do there."""

    show: str
    teams: Page[BoardTeam]
    people: Page[BoardPerson]
    locked: bool
    rules: TeamRules
    own: Team | None
    may_ask: bool
    may_invite: bool
    post: Seeker | None
    form: PostForm
    q: str


def project_page(
    viewer: Enrollment, *, team_form: TeamForm | None = None, invite_form: InviteForm | None = None
) -> ProjectPage:
    """Ten queries at most; the forms are those that were just refused."""
    rules, team = rules_of(viewer.offering), team_of(viewer)
    locked = rules.locked(clock.now())
    own = _team_view(team, rules) if team else None
    waiting = _own_waiting(viewer) if team is None else []
    return ProjectPage(
        rules=rules,
        locked=locked,
        notices=notices_of(viewer),
        own=own,
        invitations=tuple(row for row in waiting if not row.by_student),
        questions=tuple(row for row in waiting if row.by_student),
        post=Seeker.objects.filter(enrollment=viewer).first() if team is None else None,
        classmates=_classmates(viewer) if own and own.free and not locked else (),
        team_form=team_form or TeamForm(team=team),
        invite_form=invite_form or InviteForm(),
    )


def board_page(
    viewer: Enrollment, *, show: str = "", q: str = "", number: str = "", form: PostForm | None = None
) -> BoardPage:
    """Teams first for those without one, people first for those who have a free place. Eight queries at most."""
    rules, own = rules_of(viewer.offering), team_of(viewer)
    locked, members = rules.locked(clock.now()), members_by_team(viewer.offering)
    show = show if show in {"teams", "people"} else "people" if own else "teams"
    post = Seeker.objects.filter(enrollment=viewer).first() if own is None else None
    room = own is not None and len(members.get(own.pk, ())) < rules.largest
    return BoardPage(
        show=show,
        teams=page_of(_board_teams(viewer, rules, members, q), number if show == "teams" else ""),
        people=page_of(_board_people(viewer, own, members, q), number if show == "people" else ""),
        locked=locked,
        rules=rules,
        own=own,
        may_ask=own is None and not locked,
        may_invite=room and not locked,
        post=post,
        form=form or PostForm(post=post),
        q=q,
    )


def _team_view(team: Team, rules: TeamRules) -> TeamView:
    rows = team.memberships.select_related("enrollment__user", "placed_by").order_by(
        "enrollment__user__sort_name", "pk"
    )
    everyone = list(rows)
    members = [row for row in everyone if _is_current(row)]
    waiting = Invitation.objects.waiting().of_active_students().filter(team=team)
    open_ones = list(waiting.select_related("enrollment__user", "invited_by"))
    return TeamView(
        team=team,
        members=tuple(members),
        past=tuple(row for row in everyone if not _is_current(row)),
        invited=tuple(row for row in open_ones if not row.by_student),
        asked=tuple(row for row in open_ones if row.by_student),
        free=max(0, rules.largest - len(members)),
        too_small=len(members) < rules.smallest and not team.size_exception,
    )


def _is_current(row: Membership) -> bool:
    """What `MembershipQuerySet.current` asks, of a row that is read already."""
    student = row.enrollment
    return row.left_at is None and student.dropped_at is None and student.user.is_active and student.is_student


def _own_waiting(viewer: Enrollment) -> list[Invitation]:
    waiting = Invitation.objects.waiting().filter(enrollment=viewer, team__disbanded_at=None)
    return list(waiting.select_related("team", "invited_by"))


def _classmates(viewer: Enrollment) -> tuple[str, ...]:
    """Names of those who could join: addresses are for their owners to give."""
    taken = teams_by_member(viewer.offering)
    return tuple(dict.fromkeys(row.user.name for row in students_of(viewer.offering) if row.pk not in taken))


def _board_teams(
    viewer: Enrollment, rules: TeamRules, members: dict[int, list[Enrollment]], q: str
) -> Sequence[BoardTeam]:
    states = {
        row.team_id: "asked" if row.by_student else "invited"
        for row in Invitation.objects.waiting().filter(enrollment=viewer)
    }
    found = Team.objects.standing().filter(offering=viewer.offering)
    if q:
        found = found.filter(name__icontains=q) | found.filter(topic__icontains=q)
    listed = [(team, members.get(team.pk, [])) for team in found]
    return [
        BoardTeam(team, tuple(people), rules.largest - len(people), states.get(team.pk, ""))
        for team, people in listed
        if 0 < len(people) < rules.largest
    ]


def _board_people(
    viewer: Enrollment, own: Team | None, members: dict[int, list[Enrollment]], q: str
) -> Sequence[BoardPerson]:
    """Those who wrote something first, the latest of them on top; then the others as in a class list."""
    taken = {row.pk for rows in members.values() for row in rows}
    posts = {row.enrollment_id: row for row in Seeker.objects.filter(enrollment__offering=viewer.offering)}
    waiting = Invitation.objects.waiting().filter(team=own) if own else Invitation.objects.none()
    states = {row.enrollment_id: "asked" if row.by_student else "invited" for row in waiting}
    rows = []
    for student in students_of(viewer.offering):
        post = posts.get(student.pk)
        text, at = (post.text, post.posted_at) if post else ("", None)
        if student.pk not in taken and holds(q, student.user.name, text):
            state, mine = states.get(student.pk, ""), student.pk == viewer.pk
            rows.append(BoardPerson(student, text, at, state, mine))
    return sorted(rows, key=lambda row: -row.posted_at.timestamp() if row.posted_at else 0)
