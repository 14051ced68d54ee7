"""What students do with teams: formed, joined from either side, left until the lock; and what is refused, with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit.models import AuditEvent
from config import clock
from projects.teams.membership import Details
from projects.teams.models import Invitation, Membership, Seeker, Team, TeamRules
from projects.teams.rules import TeamRefused
from projects.teams.selectors import members_of, team_of, teams_by_member, waiting_for
from projects.teams.services import (
    MOST_OPEN,
    accept,
    ask_to_join,
    change_team,
    create_team,
    decline,
    invite,
    leave_team,
    post_on_board,
    take_off_board,
    withdraw,
)
from tests.factories import person, team

pytestmark = pytest.mark.django_db
LOCK = datetime(2026, 2, 21, 5, 59, 59, tzinfo=UTC)


@pytest.fixture
def ours(world):
    """A team of one, with two places."""
    return team(world.offering, world.student, name="Warp Drivers")


def formed(enrollment, name: str = "Warp Drivers") -> Team:
    return create_team(enrollment=enrollment, details=Details(name, "system", "Fused attention"))


def locked(world, at) -> None:
    TeamRules.objects.update_or_create(offering=world.offering, defaults={"lock_at": LOCK})
    at(LOCK + timedelta(seconds=1))


def test_who_forms_a_team_is_its_first_member(world):
    made = formed(world.student)
    assert (made.name, made.kind, made.topic) == ("Warp Drivers", "system", "Fused attention")
    assert team_of(world.student) == made
    assert members_of(made) == [world.student]
    assert teams_by_member(world.offering) == {world.student.pk: made}
    actions = set(AuditEvent.objects.filter(offering_id=world.offering.pk).values_list("action", flat=True))
    assert actions == {"formed a team", "joined a team"}


def test_a_student_is_in_one_team_at_a_time(world, ours):
    with pytest.raises(TeamRefused, match="in the team “Warp Drivers” already"):
        formed(world.student, "Another")
    assert Team.objects.count() == 1


@pytest.mark.parametrize("name", ["Warp Drivers", "  warp   DRIVERS "])
def test_two_teams_do_not_share_a_name_whatever_its_case(name, world, ours):
    with pytest.raises(TeamRefused, match="Another team is called"):
        formed(world.classmate, " ".join(name.split()))


def test_names_are_compared_beyond_ascii(world):
    formed(world.student, "Übung")
    with pytest.raises(TeamRefused, match="Another team is called"):
        formed(world.classmate, "übung")


@pytest.mark.parametrize("name", ["Warp\u200d Drivers", "Warp\ufe0f Drivers", "\uff37arp Drivers"])
def test_two_teams_do_not_share_a_name_that_looks_the_same(name, world, ours):
    with pytest.raises(TeamRefused, match="Another team is called"):
        formed(world.classmate, name)


def test_a_disbanded_teams_name_is_free_again(world, ours):
    leave_team(enrollment=world.student)
    assert formed(world.classmate).pk != ours.pk


def test_an_invitation_is_accepted(world, ours):
    asked = invite(enrollment=world.student, student=world.classmate)
    assert waiting_for(world.classmate) == 1
    assert waiting_for(world.student) == 0
    assert accept(invitation=asked, by=world.classmate) == ours
    assert members_of(ours) == [world.student, world.classmate]
    assert waiting_for(world.classmate) == 0
    line = AuditEvent.objects.get(action="joined a team")
    assert (line.actor, line.before, line.after) == (world.classmate.user, "no team", "Warp Drivers")


def test_a_question_is_accepted_by_a_member(world, ours):
    asked = ask_to_join(enrollment=world.classmate, team=ours)
    assert (waiting_for(world.student), waiting_for(world.classmate)) == (1, 0)
    accept(invitation=asked, by=world.student)
    assert team_of(world.classmate) == ours


def test_who_asks_each_other_is_together_at_once(world, ours):
    ask_to_join(enrollment=world.classmate, team=ours)
    assert invite(enrollment=world.student, student=world.classmate).accepted_at
    third = person(world.offering)
    invite(enrollment=world.student, student=third)
    assert ask_to_join(enrollment=third, team=ours).accepted_at
    assert len(members_of(ours)) == 3


def test_only_the_side_that_was_asked_says_yes(world, ours):
    to_classmate = invite(enrollment=world.student, student=world.classmate)
    with pytest.raises(TeamRefused, match="Only the side"):
        accept(invitation=to_classmate, by=world.student)
    with pytest.raises(TeamRefused, match="Only the side"):
        withdraw(invitation=to_classmate, by=world.classmate)
    from_third = ask_to_join(enrollment=person(world.offering), team=ours)
    for stranger in (from_third.enrollment, world.classmate):
        with pytest.raises(TeamRefused, match="Only the side"):
            accept(invitation=from_third, by=stranger)
    assert Membership.objects.count() == 1


@pytest.mark.parametrize("end", [decline, withdraw])
def test_what_was_declined_or_taken_back_cannot_be_accepted(end, world, ours):
    asked = invite(enrollment=world.student, student=world.classmate)
    end(invitation=asked, by=world.classmate if end is decline else world.student)
    with pytest.raises(TeamRefused, match="answered or taken back meanwhile"):
        accept(invitation=asked, by=world.classmate)
    assert invite(enrollment=world.student, student=world.classmate).pk != asked.pk


def test_the_same_person_is_not_invited_twice(world, ours):
    invite(enrollment=world.student, student=world.classmate)
    with pytest.raises(TeamRefused, match="invited already"):
        invite(enrollment=world.student, student=world.classmate)
    third = person(world.offering)
    ask_to_join(enrollment=third, team=ours)
    with pytest.raises(TeamRefused, match="asked “Warp Drivers” already"):
        ask_to_join(enrollment=third, team=ours)


def test_a_full_team_takes_nobody_more(world):
    full = team(world.offering, world.student, person(world.offering), person(world.offering))
    for act in (
        lambda: invite(enrollment=world.student, student=world.classmate),
        lambda: ask_to_join(enrollment=world.classmate, team=full),
    ):
        with pytest.raises(TeamRefused, match="is full: it has 3 of at most 3"):
            act()


def test_a_team_that_fills_up_meanwhile_refuses_the_late_yes(world, ours):
    late = invite(enrollment=world.student, student=world.classmate)
    for other in (person(world.offering), person(world.offering)):
        accept(invitation=invite(enrollment=world.student, student=other), by=other)
    with pytest.raises(TeamRefused, match="is full"):
        accept(invitation=late, by=world.classmate)
    assert team_of(world.classmate) is None


def test_an_offering_may_have_larger_teams(world):
    TeamRules.objects.create(offering=world.offering, smallest=2, largest=4)
    three = team(world.offering, world.student, person(world.offering), person(world.offering))
    accept(invitation=invite(enrollment=world.student, student=world.classmate), by=world.classmate)
    assert len(members_of(three)) == 4


def test_joining_one_team_settles_everything_else(world, ours):
    other = team(world.offering, person(world.offering), name="Other")
    leader = members_of(other)[0]
    post_on_board(enrollment=world.classmate, text="kernels")
    declined = invite(enrollment=leader, student=world.classmate)
    asked = ask_to_join(enrollment=world.classmate, team=ours)
    accept(invitation=asked, by=world.student)
    declined.refresh_from_db()
    assert declined.declined_at
    assert not Invitation.objects.waiting().exists()
    assert not Seeker.objects.exists()


def test_invitations_that_wait_have_a_limit(world, ours):
    people = [person(world.offering) for _ in range(MOST_OPEN + 1)]
    for someone in people[:-1]:
        invite(enrollment=world.student, student=someone)
    with pytest.raises(TeamRefused, match=f"{MOST_OPEN} invitations"):
        invite(enrollment=world.student, student=people[-1])
    withdraw(invitation=Invitation.objects.waiting().first(), by=world.student)
    invite(enrollment=world.student, student=people[-1])


def test_who_dropped_or_teaches_is_not_invited(world, ours):
    for who in (world.dropped, world.ta):
        with pytest.raises(TeamRefused, match="no student of this course any more"):
            invite(enrollment=world.student, student=who)


def test_who_is_in_another_team_is_not_invited_and_says_no_yes(world, ours):
    asked = invite(enrollment=world.student, student=world.classmate)
    formed(world.classmate, "Own")
    with pytest.raises(TeamRefused, match="in the team “Own” already"):
        invite(enrollment=world.student, student=world.classmate)
    with pytest.raises(TeamRefused, match="answered or taken back meanwhile"):
        accept(invitation=asked, by=world.classmate)


def test_the_last_one_to_leave_disbands_the_team_which_keeps_its_history(world, ours):
    accept(invitation=invite(enrollment=world.student, student=world.classmate), by=world.classmate)
    waiting = ask_to_join(enrollment=person(world.offering), team=ours)
    leave_team(enrollment=world.student)
    ours.refresh_from_db()
    assert ours.disbanded_at is None
    assert members_of(ours) == [world.classmate]
    leave_team(enrollment=world.classmate)
    ours.refresh_from_db()
    waiting.refresh_from_db()
    assert ours.disbanded_at
    assert waiting.withdrawn_at
    assert ours.memberships.exclude(left_at=None).count() == 2
    with pytest.raises(TeamRefused, match="in no team now"):
        leave_team(enrollment=world.classmate)
    with pytest.raises(TeamRefused, match="not there any more"):
        ask_to_join(enrollment=world.classmate, team=ours)


def test_who_drops_is_no_member_and_frees_the_place(world):
    gone = person(world.offering)
    full = team(world.offering, world.student, person(world.offering), gone)
    gone.dropped_at = clock.now()
    gone.save()
    assert gone not in members_of(full)
    assert team_of(gone) is None
    assert gone.pk not in teams_by_member(world.offering)
    accept(invitation=invite(enrollment=world.student, student=world.classmate), by=world.classmate)
    assert len(members_of(full)) == 3


def test_who_dropped_does_not_come_back_into_a_disbanded_team(world, ours):
    accept(invitation=invite(enrollment=world.student, student=world.classmate), by=world.classmate)
    world.classmate.dropped_at = clock.now()
    world.classmate.save()
    leave_team(enrollment=world.student)
    world.classmate.dropped_at = None
    world.classmate.save()
    assert team_of(world.classmate) is None
    formed(world.classmate)


def test_any_member_changes_what_the_team_says_of_itself(world, ours):
    wanted = Details("Drivers", "library", "A library")
    assert change_team(enrollment=world.student, details=wanted)
    ours.refresh_from_db()
    assert (ours.name, ours.kind, ours.topic) == ("Drivers", "library", "A library")
    assert not change_team(enrollment=world.student, details=wanted)
    line = AuditEvent.objects.get(action="changed a team")
    assert line.before.startswith("Warp Drivers; no kind yet")
    assert line.after == "Drivers; A library, tool or framework; A library"


def test_the_board_says_what_someone_looks_for(world, ours):
    post_on_board(enrollment=world.classmate, text="kernels")
    post_on_board(enrollment=world.classmate, text="compilers")
    assert Seeker.objects.get().text == "compilers"
    assert take_off_board(enrollment=world.classmate)
    assert not take_off_board(enrollment=world.classmate)
    with pytest.raises(TeamRefused, match="already"):
        post_on_board(enrollment=world.student, text="more people")


def test_the_last_second_counts_and_the_next_one_does_not(world, at):
    TeamRules.objects.create(offering=world.offering, lock_at=LOCK)
    at(LOCK + timedelta(microseconds=999_999))
    made = formed(world.student)
    at(LOCK + timedelta(seconds=1))
    with pytest.raises(TeamRefused, match="Teams are locked"):
        leave_team(enrollment=world.student)
    assert team_of(world.student) == made


def test_after_the_lock_students_change_nothing(world, ours, at):
    asked = ask_to_join(enrollment=world.classmate, team=ours)
    assert waiting_for(world.student) == 1
    locked(world, at)
    acts = (
        lambda: formed(person(world.offering), "New"),
        lambda: change_team(enrollment=world.student, details=Details("New")),
        lambda: leave_team(enrollment=world.student),
        lambda: invite(enrollment=world.student, student=person(world.offering)),
        lambda: ask_to_join(enrollment=person(world.offering), team=ours),
        lambda: accept(invitation=asked, by=world.student),
        lambda: post_on_board(enrollment=world.classmate, text="kernels"),
    )
    for act in acts:
        with pytest.raises(TeamRefused, match="Teams are locked"):
            act()
    assert waiting_for(world.student) == 0
    decline(invitation=asked, by=world.student)
    assert members_of(ours) == [world.student]
