"""What students do with teams, until the lock. Each act is decided while the offering's teams are held, so no two of them cross."""

from __future__ import annotations

from django.db import transaction

from config import clock
from courses.models import Enrollment, Offering
from projects.teams.membership import (
    Details,
    change_details,
    disband_if_empty,
    join,
    make_team,
    part,
    require_free,
    require_place,
)
from projects.teams.models import Invitation, Membership, Seeker, Team, TeamRules
from projects.teams.rules import TeamRefused, hold_teams, require_open
from projects.teams.selectors import team_of

MOST_OPEN = 10  # invitations of a team, and questions of a student, that wait at a time
YOU = "You are"


@transaction.atomic
def create_team(*, enrollment: Enrollment, details: Details) -> Team:
    """Form a team with this student as its first member. Raises `TeamRefused`, as every act here does."""
    _hold_open(enrollment.offering)
    require_free(enrollment, told=YOU)
    team = make_team(offering=enrollment.offering, details=details, by=enrollment.user)
    join(team=team, enrollment=enrollment, by=enrollment.user)
    return team


@transaction.atomic
def change_team(*, enrollment: Enrollment, details: Details) -> bool:
    """Another name, kind or topic for the student's team; False where they are what they were."""
    _hold_open(enrollment.offering)
    return change_details(team=_own_membership(enrollment).team, details=details, by=enrollment.user)


@transaction.atomic
def leave_team(*, enrollment: Enrollment) -> Team:
    """End the student's membership. The last one to leave disbands the team, which keeps its work."""
    _hold_open(enrollment.offering)
    membership = _own_membership(enrollment)
    part(membership=membership, by=enrollment.user)
    disband_if_empty(team=membership.team, by=enrollment.user)
    return membership.team


@transaction.atomic
def invite(*, enrollment: Enrollment, student: Enrollment) -> Invitation:
    """Ask a classmate to join the student's team. One who had asked to be taken is in it at once."""
    rules = _hold_open(enrollment.offering)
    team = _own_membership(enrollment).team
    if student.pk == enrollment.pk:
        raise TeamRefused("You are in the team already. Please name somebody else.")
    require_free(student, told=f"{student.user.name} is")
    require_place(team, rules)
    open_one = _waiting(team, student)
    if open_one is not None and not open_one.by_student:
        raise TeamRefused(f"{student.user.name} is invited already and has not answered yet.")
    if open_one is not None:
        return _accepted(open_one, by=enrollment)
    if Invitation.objects.waiting().filter(team=team, by_student=False).count() >= MOST_OPEN:
        raise TeamRefused(
            f"{MOST_OPEN} invitations of your team wait for an answer. Withdraw one before you send another."
        )
    return _open_invitation(team, student, by=enrollment)


@transaction.atomic
def ask_to_join(*, enrollment: Enrollment, team: Team) -> Invitation:
    """Ask a team to be taken. Where it had invited the student, they are in it at once."""
    rules = _hold_open(enrollment.offering)
    require_free(enrollment, told=YOU)
    team.refresh_from_db()
    require_place(team, rules)
    open_one = _waiting(team, enrollment)
    if open_one is not None and open_one.by_student:
        raise TeamRefused(f"You have asked “{team.name}” already, and nobody has answered yet.")
    if open_one is not None:
        return _accepted(open_one, by=enrollment)
    if Invitation.objects.waiting().filter(enrollment=enrollment, by_student=True).count() >= MOST_OPEN:
        raise TeamRefused(f"You have asked {MOST_OPEN} teams already. Withdraw one question before you ask another.")
    return _open_invitation(team, enrollment, by=enrollment)


@transaction.atomic
def accept(*, invitation: Invitation, by: Enrollment) -> Team:
    """Say yes: the one who was asked does, the student to an invitation and any member to a student's question."""
    rules = _hold_open(by.offering)
    found = _still_waiting(invitation)
    _require_side(found, by, asked=True)
    student = found.enrollment
    require_free(student, told=YOU if student == by else f"{student.user.name} is")
    require_place(found.team, rules)
    return _accepted(found, by=by).team


@transaction.atomic
def decline(*, invitation: Invitation, by: Enrollment) -> None:
    """Say no. It needs no open teams."""
    hold_teams(by.offering)
    found = _still_waiting(invitation)
    _require_side(found, by, asked=True)
    found.declined_at = clock.now()
    found.save(update_fields=["declined_at"])


@transaction.atomic
def withdraw(*, invitation: Invitation, by: Enrollment) -> None:
    """Take it back: a member an invitation of the team, a student their own question."""
    hold_teams(by.offering)
    found = _still_waiting(invitation)
    _require_side(found, by, asked=False)
    found.withdrawn_at = clock.now()
    found.save(update_fields=["withdrawn_at"])


@transaction.atomic
def post_on_board(*, enrollment: Enrollment, text: str) -> Seeker:
    """Say on the board what the student looks for; saying it again replaces it."""
    _hold_open(enrollment.offering)
    require_free(enrollment, told=YOU)
    post, _ = Seeker.objects.update_or_create(enrollment=enrollment, defaults={"text": text, "posted_at": clock.now()})
    return post


@transaction.atomic
def take_off_board(*, enrollment: Enrollment) -> bool:
    """Take the post off; False where there is none."""
    gone, _ = Seeker.objects.filter(enrollment=enrollment).delete()
    return gone > 0


def _hold_open(offering: Offering) -> TeamRules:
    """Hold the offering's teams, and only then look at the clock: who waited past the lock is late."""
    rules = hold_teams(offering)
    require_open(rules, clock.now())
    return rules


def _own_membership(enrollment: Enrollment) -> Membership:
    found = Membership.objects.current().select_related("team__offering").filter(enrollment=enrollment).first()
    if found is None:
        raise TeamRefused("You are in no team now. Nothing was changed.")
    return found


def _waiting(team: Team, student: Enrollment) -> Invitation | None:
    return (
        Invitation.objects.waiting()
        .select_related("team__offering", "enrollment__user")
        .filter(team=team, enrollment=student)
        .first()
    )


def _still_waiting(invitation: Invitation) -> Invitation:
    rows = Invitation.objects.waiting().select_related("team__offering", "enrollment__user")
    if (found := rows.filter(pk=invitation.pk).first()) is None:
        raise TeamRefused("That was answered or taken back meanwhile. Nothing was changed now.")
    return found


def _require_side(invitation: Invitation, by: Enrollment, *, asked: bool) -> None:
    """Whoever was asked answers, and whoever asked takes back; on the team's side every member may."""
    team_acts = invitation.by_student == asked
    ours = team_of(by) == invitation.team if team_acts else invitation.enrollment_id == by.pk
    if not ours:
        raise TeamRefused(
            "Only the side that was asked answers, and only the one that asked takes back. Nothing was changed."
        )


def _open_invitation(team: Team, student: Enrollment, *, by: Enrollment) -> Invitation:
    return Invitation.objects.create(
        team=team, enrollment=student, invited_by=by.user, invited_at=clock.now(), by_student=by.pk == student.pk
    )


def _accepted(invitation: Invitation, *, by: Enrollment) -> Invitation:
    join(team=invitation.team, enrollment=invitation.enrollment, by=by.user)
    invitation.refresh_from_db()
    return invitation
