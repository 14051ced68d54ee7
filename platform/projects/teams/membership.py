"""What happens to the rows when a student joins or leaves a team, whoever decided it. Callers hold the teams (`rules.hold_teams`)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Enrollment, Offering
from projects.teams.models import Invitation, Membership, ProjectKind, Seeker, Team, TeamRules
from projects.teams.rules import TeamRefused
from projects.teams.selectors import team_of

NO_TEAM = "no team"
VARIANTS = frozenset(map(chr, range(0xFE00, 0xFE10)))  # they choose how the sign before them is drawn


@dataclass(frozen=True)
class Details:
    """What a team says of itself. `kind` is a `ProjectKind` or empty."""

    name: str
    kind: str = ""
    topic: str = ""

    def __str__(self) -> str:
        kind = ProjectKind(self.kind).label if self.kind else "no kind yet"
        return f"{self.name}; {kind}; {self.topic or 'no topic yet'}"


@dataclass(frozen=True)
class ByStaff:
    """Who of the staff decided, and what they said about it."""

    user: User
    reason: str = ""


def folded(name: str) -> str:
    """A name as it is compared: whatever its case, its spaces, signs that are not seen, and the way its letters are put together."""
    seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf" and letter not in VARIANTS)
    return " ".join(unicodedata.normalize("NFKC", seen).casefold().split())


def make_team(*, offering: Offering, details: Details, by: User) -> Team:
    """A team that has no members yet; raises `TeamRefused` where another one has the name."""
    _check_name(offering, details.name)
    team = Team.objects.create(
        offering=offering,
        name=details.name,
        kind=details.kind,
        topic=details.topic,
        created_at=clock.now(),
        created_by=by,
    )
    _record(team, by, "formed a team", after=str(details))
    return team


def change_details(*, team: Team, details: Details, by: User) -> bool:
    """Store what it says of itself now; False where nothing changed."""
    before = Details(team.name, team.kind, team.topic)
    if details == before:
        return False
    _check_name(team.offering, details.name, but=team)
    team.name, team.kind, team.topic = details.name, details.kind, details.topic
    team.save(update_fields=["name", "kind", "topic"])
    _record(team, by, "changed a team", before=str(before), after=str(details))
    return True


def join(
    *, team: Team, enrollment: Enrollment, by: User, staff: ByStaff | None = None, moved_from: Team | None = None
) -> Membership:
    """Make the student a member. Their post on the board goes, and what else they were asked, or asked, is settled with it."""
    now = clock.now()
    made = Membership.objects.create(
        team=team,
        enrollment=enrollment,
        joined_at=now,
        placed_by=staff.user if staff else None,
        placed_from=moved_from,
        reason=staff.reason if staff else "",
    )
    waiting = Invitation.objects.waiting().filter(enrollment=enrollment)
    waiting.filter(team=team).update(accepted_at=now)
    waiting.filter(by_student=True).update(withdrawn_at=now)
    waiting.filter(by_student=False).update(declined_at=now)
    Seeker.objects.filter(enrollment=enrollment).delete()
    action = "joined a team" if staff is None else "put into a team" if moved_from is None else "moved to another team"
    before = moved_from.name if moved_from else NO_TEAM
    _record(made, by, action, before=before, after=team.name, reason=staff.reason if staff else "")
    return made


def part(*, membership: Membership, by: User, staff: ByStaff | None = None, moves_on: bool = False) -> None:
    """End a membership. One who moves on to another team is told there, and the log has one line for both."""
    now = clock.now()
    membership.left_at = now
    if staff is not None:
        membership.removed_by, membership.reason = staff.user, staff.reason
        membership.seen_at = now if moves_on else None
    membership.save(update_fields=["left_at", "removed_by", "reason", "seen_at"])
    if not moves_on:
        action = "took out of a team" if staff else "left a team"
        reason = staff.reason if staff else ""
        _record(membership, by, action, before=membership.team.name, after=NO_TEAM, reason=reason)


def disband_if_empty(*, team: Team, by: User) -> bool:
    """Disband a team whose last member has left; its work and its history stay. Those who dropped do not come back into it."""
    if team.disbanded_at is not None or team.memberships.current().exists():
        return False
    team.disbanded_at = now = clock.now()
    team.save(update_fields=["disbanded_at"])
    team.memberships.filter(left_at=None).update(left_at=now)
    Invitation.objects.waiting().filter(team=team).update(withdrawn_at=now)
    _record(team, by, "disbanded a team", before=team.name, after="nobody was left in it")
    return True


def require_free(enrollment: Enrollment, *, told: str) -> None:
    """Raise `TeamRefused` where the student is not in the offering any more, or in a team already; `told` is how they are called."""
    if not Enrollment.objects.students().filter(pk=enrollment.pk).exists():
        raise TeamRefused(f"{told} no student of this course any more. Nothing was changed.")
    if (team := team_of(enrollment)) is not None:
        raise TeamRefused(f"{told} in the team “{team.name}” already, and a student is in one team at a time.")


def require_place(team: Team, rules: TeamRules) -> None:
    """Raise `TeamRefused` where the team is gone, or has as many members as a team may have."""
    size = team.memberships.current().count()
    if team.disbanded_at is not None or size == 0:
        raise TeamRefused(f"The team “{team.name}” is not there any more. Nothing was changed.")
    if size >= rules.largest:
        raise TeamRefused(
            f"The team “{team.name}” is full: it has {size} of at most {rules.largest} members. Nothing was changed. "
            "Only course staff can make a team larger."
        )


def _check_name(offering: Offering, name: str, *, but: Team | None = None) -> None:
    """Compared in Python: databases do not agree on the case of letters beyond ASCII."""
    others = Team.objects.standing().filter(offering=offering).values_list("pk", "name")
    if folded(name) in {folded(other) for pk, other in others if but is None or pk != but.pk}:
        raise TeamRefused(f"Another team is called “{name}” already. Please choose another name.")


def _record(
    subject: Team | Membership, by: User, action: str, *, before: str = "", after: str = "", reason: str = ""
) -> None:
    team = subject if isinstance(subject, Team) else subject.team
    record(
        actor=by,
        action=action,
        subject=subject,
        offering_id=team.offering_id,
        before=before,
        after=after,
        reason=reason,
    )
