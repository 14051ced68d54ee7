"""What staff do with teams, before and after the lock: rules, placing many students as one act, exceptions, disbanding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.core import signing
from django.db import transaction

from accounts.models import User
from assignments.due.rules import in_full
from audit.services import record
from courses.models import Offering
from projects.teams.membership import ByStaff, Details, change_details, disband_if_empty, join, make_team, part
from projects.teams.models import Membership, Team, TeamRules
from projects.teams.planning import Plan, Planned, Snapshot, Target, TeamAfter, plan_of, snapshot_of
from projects.teams.rules import TeamRefused, hold_teams

SALT, LASTS_S = "projects.teams.plan", 3600
REASON_MIN = 3
CHANGED = (
    "Teams have changed since this page was made, so nothing was stored. Look at them as they are now and try again."
)


class TooLarge(TeamRefused):
    """Teams would be larger than the rules allow; with a reason they may be."""

    def __init__(self, plan: Plan) -> None:
        names = ", ".join(f"“{team.name}” ({team.after})" for team in plan.too_large)
        super().__init__(
            f"Larger than {plan.rules.largest}: {names}. Give a reason for the exception, or choose others. Nothing was stored."
        )
        self.plan = plan


@transaction.atomic
def set_rules(*, offering: Offering, smallest: int, largest: int, lock_at: datetime | None, by: User) -> TeamRules:
    """Set sizes and lock date. Teams that stand keep their members, whatever their size."""
    rules = hold_teams(offering)
    before = _rules_line(rules)
    rules.smallest, rules.largest, rules.lock_at = smallest, largest, lock_at
    rules.save()
    if before != (after := _rules_line(rules)):
        record(
            actor=by,
            action="set the rules of teams",
            subject=rules,
            offering_id=offering.pk,
            before=before,
            after=after,
        )
    return rules


@transaction.atomic
def edit_team(*, team: Team, details: Details, by: User) -> bool:
    """Another name, kind or topic; False where they are what they were."""
    hold_teams(team.offering)
    return change_details(team=_fresh(team), details=details, by=by)


@transaction.atomic
def arrange(*, offering: Offering, planned: Sequence[Planned], by: User, reason: str = "", exception: str = "") -> Plan:
    """Put these students where they are to be, all of them or none; returns what was done.

    Raises `TooLarge` where a team grows beyond the rules and `exception` gives no reason for it, and `TeamRefused` where anybody
    is not where the plan found them.
    """
    hold_teams(offering)
    now = snapshot_of(offering)
    _check_unchanged(now, planned)
    plan = plan_of(now, {row.student: row.target for row in planned})
    if plan.too_large and len(exception.strip()) < REASON_MIN:
        raise TooLarge(plan)
    staff = ByStaff(by, reason.strip())
    made = {name: make_team(offering=offering, details=Details(name), by=by) for name in _new_names(plan.planned)}
    _move_all(now, plan.planned, made, staff)
    _excuse(now, made, plan.too_large, exception.strip(), by)
    for row in plan.planned:
        if row.source is not None:
            disband_if_empty(team=now.teams[row.source], by=by)
    return plan


@transaction.atomic
def except_size(*, team: Team, reason: str, by: User) -> bool:
    """Let the team be as small or large as it is, with a reason; an empty one takes the exception back. False where nothing changed."""
    hold_teams(team.offering)
    found, wanted = _fresh(team), reason.strip()
    if wanted and len(wanted) < REASON_MIN:
        raise TeamRefused("Please give the reason in a few words; it is kept with the team.")
    if wanted == found.size_exception:
        return False
    _set_exception(found, wanted, by)
    return True


@transaction.atomic
def disband(*, team: Team, reason: str, by: User) -> int:
    """Take all members out, who are told, and end the team; returns how many they were. Its work stays."""
    hold_teams(team.offering)
    found, staff = _fresh(team), ByStaff(by, reason.strip())
    memberships = list(found.memberships.current().select_related("team"))
    for membership in memberships:
        part(membership=membership, by=by, staff=staff)
    disband_if_empty(team=found, by=by)
    return len(memberships)


def sign(plan: Plan, *, offering: Offering, by: User) -> str:
    """The plan as text that nobody else can make or alter; it holds for an hour, for this person."""
    rows = [(row.student, row.source, row.target.team, row.target.new) for row in plan.planned]
    return signing.dumps({"offering": offering.pk, "by": by.pk, "rows": rows}, salt=SALT, compress=True)


def signed_plan(signed: str, *, offering: Offering, by: User) -> list[Planned]:
    """What `sign` made; raises `TeamRefused` for anything else."""
    try:
        found = signing.loads(signed, salt=SALT, max_age=LASTS_S)
    except signing.SignatureExpired as expired:
        raise TeamRefused("The preview is older than an hour. Please make it again; nothing was stored.") from expired
    except signing.BadSignature as bad:
        raise TeamRefused("This is not a preview of ours, so nothing was stored. Please make it again.") from bad
    if (found["offering"], found["by"]) != (offering.pk, by.pk):
        raise TeamRefused("This preview belongs to another course or person. Please make it again; nothing was stored.")
    return [Planned(student, source, Target(team, new)) for student, source, team, new in found["rows"]]


def _check_unchanged(now: Snapshot, planned: Iterable[Planned]) -> None:
    """Everybody is a student still and where the plan found them, and every team that somebody goes to is there."""
    for row in planned:
        source = now.team_of.get(row.student)
        if row.student not in now.students or (source.pk if source else None) != row.source:
            raise TeamRefused(CHANGED)
        if row.target.team is not None and row.target.team not in now.teams:
            raise TeamRefused(CHANGED)


def _new_names(planned: Iterable[Planned]) -> list[str]:
    return list(dict.fromkeys(row.target.new for row in planned if row.target.new))


def _move_all(now: Snapshot, planned: Sequence[Planned], made: dict[str, Team], staff: ByStaff) -> None:
    """First everybody leaves, then everybody joins, so that places may be swapped."""
    leaving = [row.student for row in planned if row.source is not None]
    current = Membership.objects.current().select_related("team").filter(enrollment__in=leaving)
    memberships = {row.enrollment_id: row for row in current}
    for row in planned:
        if row.source is not None:
            moves_on = row.target != Target()
            part(membership=memberships[row.student], by=staff.user, staff=staff, moves_on=moves_on)
    for row in planned:
        team = made[row.target.new] if row.target.new else now.teams[row.target.team] if row.target.team else None
        if team is not None:
            before = now.teams[row.source] if row.source else None
            student = now.students[row.student]
            join(team=team, enrollment=student, by=staff.user, staff=staff, moved_from=before)


def _excuse(now: Snapshot, made: dict[str, Team], grown: Iterable[TeamAfter], reason: str, by: User) -> None:
    by_name = {team.name: team for team in (*now.teams.values(), *made.values())}
    for team in grown:
        _set_exception(by_name[team.name], reason, by)


def _set_exception(team: Team, reason: str, by: User) -> None:
    before = team.size_exception
    team.size_exception, team.size_exception_by = reason, by if reason else None
    team.save(update_fields=["size_exception", "size_exception_by"])
    size = team.memberships.current().count()
    record(
        actor=by,
        action="let a team have another size" if reason else "took a size exception back",
        subject=team,
        offering_id=team.offering_id,
        before=f"{team.name}: {'exception' if before else 'no exception'}",
        after=f"{team.name}: {size} members, {'exception' if reason else 'no exception'}",
        reason=reason or before,
    )


def _fresh(team: Team) -> Team:
    """As it is now; raises `TeamRefused` where it was disbanded."""
    found = Team.objects.select_related("offering").get(pk=team.pk)
    if found.disbanded_at is not None:
        raise TeamRefused(f"The team “{found.name}” was disbanded meanwhile. Nothing was changed.")
    return found


def _rules_line(rules: TeamRules) -> str:
    zone = rules.offering.zone
    lock = f"locked after {in_full(rules.lock_at, zone)}" if rules.lock_at else "no lock date"
    return f"{rules.sizes} members, {lock}"
