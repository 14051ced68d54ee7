"""What staff do: rules, moving people as one act, exceptions with a reason, disbanding; and that whom it concerns is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from config import clock
from projects.teams.membership import Details
from projects.teams.models import Invitation, Membership, Team, TeamRules
from projects.teams.notices import notices_of, put_away
from projects.teams.planning import Planned, Target
from projects.teams.rules import TeamRefused
from projects.teams.selectors import members_of, team_of, waiting_for
from projects.teams.services import invite
from projects.teams.staff_pages import teams_page
from projects.teams.staffing import TooLarge, arrange, disband, edit_team, except_size, set_rules
from tests.factories import person, team

pytestmark = pytest.mark.django_db


@pytest.fixture
def full(world):
    """Three of three, Ada among them."""
    return team(world.offering, world.student, person(world.offering), person(world.offering), name="Full")


@pytest.fixture
def pair(world):
    """Two of three, Kofi among them."""
    return team(world.offering, world.classmate, person(world.offering), name="Pair")


@pytest.fixture
def post(world, browser):
    """Posts to the staff's page of this name and follows."""

    def send(name: str, data: dict, *args: int, who=None):
        url = reverse(name, args=[world.offering.slug, *args])
        return browser(who or world.ta).post(url, data, follow=True)

    return send


def move(world, student, source, target, **options):
    planned = [Planned(student.pk, source.pk if source else None, Target(target.pk if target else None))]
    return arrange(offering=world.offering, planned=planned, by=world.ta.user, **options)


def lines(action: str) -> list[tuple[str, str, str]]:
    return list(AuditEvent.objects.filter(action=action).values_list("before", "after", "reason"))


def test_a_move_is_told_to_the_student_until_they_put_it_away(world, full, pair):
    move(world, world.student, full, pair, reason="You both work on kernels.")
    assert team_of(world.student) == pair
    (notice,) = notices_of(world.student)
    assert notice.text == "Priya Raman of the course staff put you into the team “Pair”. You were in “Full” before."
    assert notice.membership.reason == "You both work on kernels."
    assert waiting_for(world.student) == 1
    assert lines("moved to another team") == [("Full", "Pair", "You both work on kernels.")]
    assert put_away(enrollment=world.student) == 1
    assert notices_of(world.student) == ()


def test_being_taken_out_and_being_put_in_are_told(world, full, pair):
    alone = person(world.offering)
    move(world, world.student, full, None, reason="They asked for it.")
    move(world, alone, None, pair)
    assert team_of(world.student) is None
    assert "took you out of the team “Full”" in notices_of(world.student)[0].text
    assert "put you into the team “Pair”" in notices_of(alone)[0].text
    assert lines("took out of a team") == [("Full", "no team", "They asked for it.")]
    assert lines("put into a team") == [("no team", "Pair", "")]


def test_what_students_do_themselves_is_no_notice(world, pair):
    assert notices_of(world.classmate) == ()


def test_places_are_swapped_between_full_teams(world, full):
    other = team(world.offering, world.classmate, person(world.offering), person(world.offering), name="Other")
    planned = [
        Planned(world.student.pk, full.pk, Target(other.pk)),
        Planned(world.classmate.pk, other.pk, Target(full.pk)),
    ]
    arrange(offering=world.offering, planned=planned, by=world.ta.user)
    assert (team_of(world.student), team_of(world.classmate)) == (other, full)
    assert {len(members_of(full)), len(members_of(other))} == {3}


def test_staff_place_people_after_the_lock(world, full, pair, at):
    lock = datetime(2026, 2, 21, 5, 59, 59, tzinfo=UTC)
    TeamRules.objects.create(offering=world.offering, lock_at=lock)
    at(lock + timedelta(days=9))
    move(world, world.student, full, pair)
    assert team_of(world.student) == pair


def test_a_team_grows_beyond_the_rules_only_with_a_reason(world, full):
    alone = person(world.offering)
    for reason in ("", "  ", "ok"):
        with pytest.raises(TooLarge, match="Larger than 3: “Full” \\(4\\)"):
            move(world, alone, None, full, exception=reason)
    assert team_of(alone) is None
    move(world, alone, None, full, exception="joined the course late")
    full.refresh_from_db()
    assert (full.size_exception, full.size_exception_by) == ("joined the course late", world.ta.user)
    assert lines("let a team have another size")[0][2] == "joined the course late"


def test_an_exception_lets_staff_but_not_students_make_it_larger(world, full):
    except_size(team=full, reason="a large topic", by=world.ta.user)
    with pytest.raises(TeamRefused, match="is full"):
        invite(enrollment=world.student, student=world.classmate)
    move(world, world.classmate, None, full)
    assert len(members_of(full)) == 4


def test_an_exception_is_taken_back(world, full):
    assert except_size(team=full, reason="a large topic", by=world.ta.user)
    assert not except_size(team=full, reason="a large topic", by=world.ta.user)
    with pytest.raises(TeamRefused, match="in a few words"):
        except_size(team=full, reason="x", by=world.ta.user)
    assert except_size(team=full, reason="", by=world.ta.user)
    full.refresh_from_db()
    assert (full.size_exception, full.size_exception_by) == ("", None)
    assert lines("took a size exception back")[0][2] == "a large topic"


def test_a_plan_of_what_was_is_refused_whole(world, full, pair):
    stale = [
        Planned(world.classmate.pk, pair.pk, Target(None)),
        Planned(world.student.pk, None, Target(pair.pk)),  # they are in a team meanwhile
    ]
    with pytest.raises(TeamRefused, match="changed since this page was made"):
        arrange(offering=world.offering, planned=stale, by=world.ta.user)
    assert (team_of(world.student), team_of(world.classmate)) == (full, pair)


@pytest.mark.parametrize("who", ["dropped", "ta", "other_student"])
def test_nobody_but_students_of_the_offering_is_placed(who, world, pair):
    with pytest.raises(TeamRefused, match="changed since"):
        move(world, getattr(world, who), None, pair)


def test_a_team_of_another_offering_is_no_place(world):
    elsewhere = team(world.other_lab.offering, world.other_student)
    with pytest.raises(TeamRefused, match="changed since"):
        move(world, world.student, None, elsewhere)


def test_a_team_that_everybody_was_moved_from_is_disbanded(world, full):
    solo = team(world.offering, world.classmate, name="Solo")
    asked = invite(enrollment=world.classmate, student=person(world.offering))
    move(world, world.classmate, solo, None)
    solo.refresh_from_db()
    asked.refresh_from_db()
    assert solo.disbanded_at
    assert asked.withdrawn_at


def test_disbanding_tells_every_member(world, full):
    assert disband(team=full, reason="The topic was given up.", by=world.ta.user) == 3
    full.refresh_from_db()
    assert full.disbanded_at
    assert notices_of(world.student)[0].membership.reason == "The topic was given up."
    with pytest.raises(TeamRefused, match="disbanded meanwhile"):
        disband(team=full, reason="", by=world.ta.user)
    with pytest.raises(TeamRefused, match="disbanded meanwhile"):
        edit_team(team=full, details=Details("New"), by=world.ta.user)


def test_a_team_whose_members_all_dropped_is_named_and_can_be_ended(world):
    gone = team(world.offering, world.student, name="Gone")
    world.student.dropped_at = clock.now()
    world.student.save()
    (card,) = teams_page(world.ta).cards
    assert card.problem == "Nobody is in it"
    disband(team=gone, reason="", by=world.ta.user)
    assert not teams_page(world.ta).cards.object_list


def test_the_rules_are_set_with_a_line_and_leave_teams_alone(world, full):
    lock = datetime(2026, 2, 21, 5, 59, 59, tzinfo=UTC)
    set_rules(offering=world.offering, smallest=1, largest=2, lock_at=lock, by=world.instructor.user)
    set_rules(offering=world.offering, smallest=1, largest=2, lock_at=lock, by=world.instructor.user)
    assert lines("set the rules of teams") == [
        ("2 to 3 members, no lock date", "1 to 2 members, locked after Fri 20 Feb 2026, 23:59:59 CST", "")
    ]
    assert len(members_of(full)) == 3
    assert teams_page(world.ta, only="problems").cards.object_list[0].problem == "Too large: 3 of at most 2"


def test_the_page_counts_who_has_no_team_and_what_has_a_wrong_size(world, full):
    team(world.offering, world.classmate, name="Solo")
    excused = team(world.offering, person(world.offering), name="Excused")
    except_size(team=excused, reason="the others dropped", by=world.ta.user)
    alone = person(world.offering, name="Mei Chen")
    page = teams_page(world.ta)
    assert (page.students, page.in_teams, page.teams, page.problems, page.alone) == (6, 5, 3, 1, 1)
    assert [card.team.name for card in page.cards] == ["Excused", "Full", "Solo"]
    assert [card.team.name for card in teams_page(world.ta, only="problems").cards] == ["Solo"]
    assert list(teams_page(world.ta, only="without").without) == [alone]
    assert [card.team.name for card in teams_page(world.ta, q="kofi").cards] == ["Solo"]


def test_chosen_students_go_to_one_place(world, full, post):
    alone = person(world.offering)
    chosen = [f"{world.student.pk}-{full.pk}", f"{alone.pk}-0"]
    page = post("teams-arrange", {"student": chosen, "target": "new", "name": " The  New One "})
    assert "2 students moved" in page.content.decode()
    made = Team.objects.get(name="The New One")
    assert {row.pk for row in members_of(made)} == {world.student.pk, alone.pk}


def test_dragged_students_go_each_to_their_place_as_one_act(world, full, pair, post):
    moves = [f"{world.student.pk}-{full.pk}-{pair.pk}", f"{world.classmate.pk}-{pair.pk}-0"]
    post("teams-arrange", {"move": moves, "reason": "as agreed"})
    assert team_of(world.student) == pair
    assert team_of(world.classmate) is None
    assert {row.reason for row in Membership.objects.filter(enrollment=world.student, left_at=None)} == {"as agreed"}


def test_what_needs_an_exception_asks_for_its_reason_and_loses_nothing(world, full, post):
    alone = person(world.offering)
    asked = post("teams-arrange", {"move": [f"{alone.pk}-0-{full.pk}"], "reason": "late to the course"})
    assert asked.status_code == 422
    text = asked.content.decode()
    assert "Why “Full” may have 4 members" in text
    assert "late to the course" in text
    signed = asked.context["page"].signed
    again = post("teams-apply", {"signed": signed, "reason": "kept", "exception": " "})
    assert again.status_code == 422
    assert "kept" in again.content.decode()
    done = post("teams-apply", {"signed": signed, "reason": "kept", "exception": "a large topic"})
    assert "1 student moved" in done.content.decode()
    assert len(members_of(full)) == 4


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "Nobody was chosen"),
        ({"move": ["x", "1-2", "1-2-3-4", "-1-0-0"], "student": ["1"]}, "Nobody was chosen"),
        ({"student": ["1-0"], "target": ""}, "choose where they go"),
        ({"student": ["1-0"], "target": "new", "name": " ?! "}, "at least one letter or digit"),
        ({"student": ["1-0"], "target": "new", "name": "x" * 81}, "at most 80 characters"),
        ({"student": ["999999999999999-0"], "target": "999999999999999"}, "changed since this page was made"),
    ],
)
def test_what_cannot_be_read_moves_nobody_and_gets_a_sentence(data, said, world, full, post):
    page = post("teams-arrange", data)
    assert page.status_code == 200
    assert said in page.content.decode()
    assert Membership.objects.count() == 3


@pytest.mark.parametrize("signed", ["", "x", "eyJ9:1:2"])
def test_a_preview_that_is_not_ours_moves_nobody(signed, world, full, post):
    assert "not a preview of ours" in post("teams-apply", {"signed": signed}).content.decode()


def test_a_preview_is_its_makers_and_lasts_an_hour(world, full, post, monkeypatch):
    alone = person(world.offering)
    signed = post("teams-arrange", {"move": [f"{alone.pk}-0-{full.pk}"]}).context["page"].signed
    data = {"signed": signed, "exception": "a large topic"}
    assert "another course or person" in post("teams-apply", data, who=world.instructor).content.decode()
    monkeypatch.setattr("projects.teams.staffing.LASTS_S", -1)
    assert "older than an hour" in post("teams-apply", data).content.decode()
    assert len(members_of(full)) == 3


def test_the_rules_form_keeps_what_was_typed(world, post):
    data = {"smallest": "4", "largest": "3", "lock_on": "2026-02-20", "lock_time": "23:59:59"}
    page = post("team-rules", data, who=world.instructor)
    assert page.status_code == 422
    assert "cannot be smaller than the smallest, 4" in page.content.decode()
    assert 'value="2026-02-20"' in page.content.decode()
    post("team-rules", data | {"smallest": "2"}, who=world.instructor)
    rules = TeamRules.objects.get(offering=world.offering)
    assert rules.lock_at == datetime(2026, 2, 21, 5, 59, 59, tzinfo=UTC)
    post("team-rules", data | {"smallest": "2", "lock_on": ""}, who=world.instructor)
    rules.refresh_from_db()
    assert rules.lock_at is None
    for bad in (
        {"largest": "21"},
        {"smallest": "0"},
        {"smallest": "x"},
        {"lock_on": "tomorrow"},
        {"lock_on": "9999-12-31"},
        {"lock_time": "late"},
    ):
        assert post("team-rules", data | {"smallest": "2"} | bad, who=world.instructor).status_code == 422


def test_staff_edit_a_team_and_a_refusal_keeps_what_was_typed(world, full, pair, post):
    data = {"name": "pair", "kind": "library", "topic": "A library of kernels"}
    page = post("team-staff-edit", data, full.pk)
    assert page.status_code == 422
    assert "Another team is called “pair” already" in page.content.decode()
    assert "A library of kernels" in page.content.decode()
    post("team-staff-edit", data | {"name": "Larger"}, full.pk)
    full.refresh_from_db()
    assert (full.name, full.kind) == ("Larger", "library")


def test_a_reason_for_disbanding_is_read_by_the_members(world, full, post, browser):
    post("team-disband", {"reason": "The topic <b>was</b> given up."}, full.pk)
    page = browser(world.student).get(reverse("project", args=[world.offering.slug])).content.decode()
    assert "took you out of the team “Full”" in page
    assert "The topic &lt;b&gt;was&lt;/b&gt; given up." in page
    browser(world.student).post(reverse("team-notices-seen", args=[world.offering.slug]))
    assert (
        "took you out"
        not in browser(world.student).get(reverse("project", args=[world.offering.slug])).content.decode()
    )


def test_the_log_names_team_and_student(world, full, pair, browser):
    move(world, world.student, full, pair)
    edit_team(team=pair, details=Details("Pair", "library", ""), by=world.ta.user)
    set_rules(offering=world.offering, smallest=1, largest=4, lock_at=None, by=world.instructor.user)
    page = browser(world.instructor).get(reverse("audit", args=[world.offering.slug])).content.decode()
    for words in ("Place in Pair", "Ada Lindqvist", "Team Pair", "Rules of teams"):
        assert words in page
    found = browser(world.instructor).get(reverse("audit", args=[world.offering.slug]), {"student": "Ada"})
    assert "Place in Pair" in found.content.decode()
    assert "Team Pair" not in found.content.decode().replace("Place in Pair", "")
    assert Invitation.objects.count() == 0
