"""Rows of teams: students their own, staff all of them, instructors the rules."""

from __future__ import annotations

from config import clock
from projects.teams.models import Invitation, Membership, Seeker, Team, TeamRules
from projects.teams.selectors import team_of
from tests.factories import person, team
from tests.platform.web.rows import STAFF, Row

MODELS = (Team, Membership, Invitation, Seeker, TeamRules)
STUDENTS = {"student", "classmate"}
INSTRUCTOR = {"instructor"}


def make(world, things):
    """The student and the classmate in a team with a free place, which a third student asks to join."""
    ours = team_of(world.student) or team(world.offering, world.student)
    if team_of(world.classmate) is None:
        Membership.objects.create(team=ours, enrollment=world.classmate, joined_at=clock.now())
    applicant = person(world.offering, name="Mei Chen")
    question = Invitation.objects.create(
        team=ours, enrollment=applicant, invited_by=applicant.user, invited_at=clock.now(), by_student=True
    )
    return {"team": ours, "question": question, "applicant": applicant, "member": world.student}


def offering(things):
    return [things.offering.slug]


def one(name):
    return lambda things: [things.offering.slug, things.more[name].pk]


def details(_):
    return {"name": "Warp Drivers", "kind": "system", "topic": "Fused attention"}


def moved(things):
    return {"student": f"{things.more['member'].pk}-{things.more['team'].pk}", "target": "0"}


def why(_):
    return {"reason": "because"}


ROWS = {
    "project": Row(STUDENTS, offering),
    # who is in a team forms no other one, and does not look for one
    "team-create": Row(STUDENTS, offering, "post", details, 422),
    "team-board-post": Row(STUDENTS, offering, "post", lambda _: {"text": "Kernels"}, 422),
    "team-board-remove": Row(STUDENTS, offering, "post", found=302),
    "team-board": Row(STUDENTS, offering),
    "team-edit": Row(STUDENTS, offering, "post", details, 302),
    "team-leave": Row(STUDENTS, offering, "post", found=302),
    "team-invite": Row(STUDENTS, offering, "post", lambda _: {"who": "Mei Chen"}, 302),
    "team-invite-classmate": Row(STUDENTS, one("applicant"), "post", found=302),
    "team-ask": Row(STUDENTS, one("team"), "post", found=302),
    "team-invitation-accept": Row(STUDENTS, one("question"), "post", found=302),
    "team-invitation-decline": Row(STUDENTS, one("question"), "post", found=302),
    "team-invitation-withdraw": Row(STUDENTS, one("question"), "post", found=302),
    "team-notices-seen": Row(STUDENTS, offering, "post", found=302),
    "teams": Row(STAFF, offering),
    "teams-arrange": Row(STAFF, offering, "post", moved, 302, frozenset({"name"})),
    "teams-apply": Row(STAFF, offering, "post", found=302),
    "teams-file": Row(STAFF, offering),
    "teams-import": Row(STAFF, offering),
    "team-rules": Row(INSTRUCTOR, offering),
    "team": Row(STAFF, one("team")),
    "team-staff-edit": Row(STAFF, one("team"), "post", details, 302),
    "team-size": Row(STAFF, one("team"), "post", why, 302),
    "team-disband": Row(STAFF, one("team"), "post", why, 302),
}
