"""The students' pages: what each of them offers, what a refusal keeps, and that neither classmates nor teams cost queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from projects.teams.models import Invitation, Seeker, Team, TeamRules
from projects.teams.pages import board_page, project_page
from projects.teams.selectors import members_of, team_of
from projects.teams.services import ask_to_join, invite, post_on_board
from tests.factories import person, team

pytestmark = pytest.mark.django_db
LOCK = datetime(2026, 2, 21, 5, 59, 59, tzinfo=UTC)


@pytest.fixture
def page(world, browser):
    """`page(who, name)`: the text of a page; with data it is posted, and what comes after it is read."""

    def get(visitor, view: str, /, *args: int, **data: str) -> str:
        url, client = reverse(view, args=[world.offering.slug, *args]), browser(visitor)
        response = client.post(url, data, follow=True) if data else client.get(url)
        assert response.status_code in {200, 422}
        return response.content.decode()

    return get


@pytest.fixture
def ours(world):
    return team(world.offering, world.student, name="Warp Drivers")


def test_a_team_is_formed_from_the_page(world, page):
    assert "Form a team" in page(world.student, "project")
    text = page(world.student, "team-create", name=" Warp  Drivers ", kind="system", topic="Fused attention")
    assert "The team “Warp Drivers” is formed" in text
    assert "System optimizations: Fused attention" in text
    assert team_of(world.student).name == "Warp Drivers"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "", "topic": "precious words"}, "Please give the team a name."),
        ({"name": "\u200b?!", "topic": "precious words"}, "at least one letter or digit"),
        ({"name": "take\u200bn", "topic": "precious words"}, "signs that nobody sees"),
        ({"name": "\u202etaken", "topic": "precious words"}, "signs that nobody sees"),
        ({"name": "\u3164", "topic": "precious words"}, "signs that nobody sees"),
        ({"name": "x" * 81, "topic": "precious words"}, "at most 80 characters"),
        ({"name": "Ok", "kind": "cooking", "topic": "precious words"}, "choose a kind from the list"),
        ({"name": "Ok", "topic": "precious words" * 30}, "at most 300 characters"),
        ({"name": "taken", "topic": "precious words"}, "Another team is called “taken” already"),
        ({"name": "a\x00b", "topic": "precious words"}, "Null characters are not allowed"),
    ],
)
def test_a_refused_form_keeps_what_was_typed(data, said, world, page):
    team(world.offering, world.classmate, name="Taken")
    text = page(world.student, "team-create", **data)
    assert said in text
    assert "precious words" in text
    assert Team.objects.count() == 1


def test_a_classmate_is_invited_by_name_and_sees_it_everywhere(world, page, ours):
    assert '<option value="Kofi Mensah">' in page(world.student, "project")
    assert "Kofi Mensah is invited" in page(world.student, "team-invite", who="kofi mensah")
    assert "The team “Warp Drivers” invites you" in page(world.classmate, "dashboard")
    text = page(world.classmate, "project")
    assert "You are invited" in text
    assert '<span class="nav-badge">1</span>' in text
    asked = Invitation.objects.get()
    assert "You are in the team “Warp Drivers” now" in page(
        world.classmate, "team-invitation-accept", asked.pk, act="yes"
    )


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("", "Please say whom to invite"),
        ("Nobody Here", "is no student of this course"),
        ("priya.raman@example.edu", "is no student of this course"),
        ("Mei Chen", "2 students are called “Mei Chen”"),
        ("Ada Lindqvist", "You are in the team already"),
    ],
)
def test_a_name_that_is_nobody_or_two_people_comes_back(who, said, world, page, ours):
    for address in ("one@example.edu", "two@example.edu"):
        person(world.offering, name="Mei Chen", email=address)
    text = page(world.student, "team-invite", who=who)
    assert said in text
    assert f'value="{who}"' in text or not who
    assert not Invitation.objects.exists()


def test_addresses_of_classmates_are_for_their_owners_to_give(world, page, ours):
    stranger = person(world.offering, name="Mei Chen", email="private@example.edu")
    post_on_board(enrollment=stranger, text="kernels")
    assert "private@example.edu" not in page(world.student, "project")
    assert "private@example.edu" not in page(world.student, "team-board")
    ask_to_join(enrollment=stranger, team=ours)
    assert "private@example.edu" in page(world.student, "project")


def test_the_board_lets_each_side_ask_the_other(world, page, ours):
    page(world.classmate, "team-board-post", text="I bring <i>kernels</i>")
    mine = page(world.classmate, "team-board")
    assert "Ask to join" in mine
    assert "Warp Drivers" in mine
    theirs = page(world.student, "team-board")
    assert "I bring &lt;i&gt;kernels&lt;/i&gt;" in theirs
    assert "Kofi Mensah is invited" in page(world.student, "team-invite-classmate", world.classmate.pk, act="yes")
    assert "had invited you, so you are in the team now" in page(world.classmate, "team-ask", ours.pk, act="yes")
    assert members_of(ours) == [world.student, world.classmate]


def test_the_board_shows_only_teams_with_a_place_and_people_without_a_team(world, ours):
    full = team(world.offering, *(person(world.offering) for _ in range(3)), name="Full")
    gone = team(world.offering, world.dropped, name="All dropped")
    board = board_page(world.classmate)
    assert board.show == "teams"
    assert [row.team for row in board.teams] == [ours]
    assert {full, gone}.isdisjoint({row.team for row in board.teams})
    assert [row.student for row in board.people] == [world.classmate]
    assert board_page(world.student).show == "people"
    assert [row.team for row in board_page(world.classmate, q="WARP").teams] == [ours]
    assert not board_page(world.classmate, q="nothing").teams.object_list


def test_a_post_that_is_refused_comes_back(world, page):
    text = page(world.student, "team-board-post", text="x" * 1001)
    assert "at most 1000 characters" in text
    assert "x" * 1001 in text
    assert not Seeker.objects.exists()


def test_after_the_lock_the_pages_say_so_and_offer_nothing(world, page, ours, at):
    invite(enrollment=world.student, student=world.classmate)
    TeamRules.objects.update(lock_at=LOCK)
    at(LOCK + timedelta(minutes=1))
    own, theirs = page(world.student, "project"), page(world.classmate, "project")
    assert "Locked" in own
    assert "Invite a classmate" not in own
    assert "Leave the team" not in own
    assert "Too late: teams are locked" in theirs
    assert "Form a team" not in theirs
    board = page(world.classmate, "team-board")
    assert "Ask to join" not in board
    assert "Put it on the board" not in board
    assert "nav-badge" not in theirs
    assert "invites you" not in page(world.classmate, "dashboard")
    assert "Teams are locked" in page(world.student, "team-leave", act="yes")


def test_the_overview_says_who_has_no_team_while_there_is_time(world, page, at):
    words = "You are in no team for the project yet."
    assert words not in page(world.student, "dashboard")  # a course without projects
    TeamRules.objects.create(offering=world.offering, lock_at=LOCK)
    at(LOCK)
    assert f"{words} Teams change until Fri 20 Feb 2026, 23:59:59 CST." in page(world.student, "dashboard")
    team(world.offering, world.student)
    assert words not in page(world.student, "dashboard")


def test_the_last_member_is_told_what_leaving_means(world, page, ours):
    assert "You are its last member, so the team is disbanded" in page(world.student, "project")
    assert "so it is disbanded; its work is kept" in page(world.student, "team-leave", act="yes")


def test_another_teams_invitation_is_not_there(world, browser, ours):
    asked = invite(enrollment=world.student, student=person(world.offering))
    for name in ("accept", "decline", "withdraw"):
        url = reverse(f"team-invitation-{name}", args=[world.offering.slug, asked.pk])
        assert browser(world.classmate).post(url).status_code == 404


def test_pages_ask_as_often_for_many_teams_as_for_few(world, browser, ours):
    def grow(count: int) -> None:
        for _ in range(count):
            leader, student = person(world.offering), person(world.offering)
            made = team(world.offering, leader)
            ask_to_join(enrollment=student, team=made)
            invite(enrollment=world.student, student=student) if Invitation.objects.waiting().count() < 9 else None
            post_on_board(enrollment=student, text="kernels")

    def counted() -> list[int]:
        pages = [(world.student, name) for name in ("project", "team-board", "dashboard")]
        pages += [
            (world.classmate, "project"),
            (world.classmate, "team-board"),
            (world.ta, "teams"),
            (world.ta, "teams-file"),
        ]
        found = []
        for who, name in pages:
            with CaptureQueriesContext(connection) as asked:
                browser(who).get(reverse(name, args=[world.offering.slug]))
            found.append(len(asked))
        return found

    grow(3)
    few = counted()
    grow(30)
    assert counted() == few


def test_a_page_of_the_project_is_small_work(world, ours, django_assert_max_num_queries):
    invite(enrollment=world.student, student=world.classmate)
    with django_assert_max_num_queries(10):
        project_page(world.student)
    with django_assert_max_num_queries(10):
        project_page(world.classmate)
    with django_assert_max_num_queries(8):
        board_page(world.student)


def test_a_search_text_without_meaning_finds_nothing_and_breaks_nothing(world, ours, browser):
    board = reverse("team-board", args=[world.offering.slug])
    found = browser(world.classmate).get(board, {"show": "teams", "q": "Wa\0rp"}).context["page"]
    assert found.q == "Warp"
    assert [row.team for row in found.teams] == [ours]


def test_emoji_and_scripts_that_join_their_letters_may_stand_in_a_name(world, page):
    for who, name in (
        (world.student, "Team \U0001f469\u200d\U0001f4bb"),
        (world.classmate, "\u0645\u06cc\u200c\u0631\u0648\u0645"),
    ):
        page(who, "team-create", name=name)
        assert team_of(who).name == name
