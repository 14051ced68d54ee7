"""The order of talks: filled in, put in another order, moved to another day, and never in a way that loses a rating."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from audit.models import AuditEvent
from projects.models import PresentationRules, Talk
from projects.presentations import planning
from projects.presentations.locks import TalkRefused
from projects.presentations.orders import read_order
from projects.presentations.planning import NewRules
from tests.factories import SessionFactory, closed, opened, person, rated, staff_rated, team

pytestmark = pytest.mark.django_db


@pytest.fixture
def offering(world):
    PresentationRules.objects.create(offering=world.offering, first_talk=time(15, 30))
    return world.offering


@pytest.fixture
def sessions(offering):
    return [SessionFactory(offering=offering, date=date(2026, 5, 5) + timedelta(days=2 * n)) for n in range(2)]


def teams(offering, count: int) -> list:
    return [team(offering, person(offering), person(offering)) for _ in range(count)]


def names(session) -> list[str]:
    return [talk.team.name for talk in session.talks.order_by("position").select_related("team")]


def fill(world, sessions) -> int:
    return planning.fill(offering=world.offering, sessions=sessions, by=world.ta.user)


def test_every_team_gets_one_talk_about_as_many_in_each_session(world, offering, sessions):
    made = teams(offering, 7)
    assert fill(world, sessions) == 7
    assert sorted(names(sessions[0]) + names(sessions[1])) == sorted(team.name for team in made)
    assert [session.talks.count() for session in sessions] == [4, 3]


def test_the_order_is_random_and_always_the_same(world, offering, sessions):
    made = teams(offering, 12)
    fill(world, sessions)
    once = names(sessions[0]) + names(sessions[1])
    Talk.objects.all().delete()
    fill(world, sessions)
    assert names(sessions[0]) + names(sessions[1]) == once
    assert once != [team.name for team in made]  # one chance in 479,001,600


def test_a_team_that_comes_later_leaves_the_others_where_they_are(world, offering, sessions):
    teams(offering, 4)
    fill(world, sessions)
    before = {session.pk: names(session) for session in sessions}
    late = teams(offering, 1)[0]
    assert fill(world, sessions) == 1
    for session in sessions:
        assert [name for name in names(session) if name != late.name] == before[session.pk]


def test_talks_begin_one_slot_after_the_other_by_the_clock_in_class(world, offering, sessions):
    teams(offering, 3)
    fill(world, sessions[:1])
    zone = offering.zone
    begins = [f"{talk.starts_at.astimezone(zone):%d %H:%M}" for talk in sessions[0].talks.order_by("position")]
    assert begins == ["05 15:30", "05 15:45", "05 16:00"]


def test_teams_without_members_and_disbanded_ones_get_none(world, offering, sessions):
    empty = team(offering)
    gone = team(offering, person(offering))
    gone.disbanded_at = gone.created_at
    gone.save()
    with pytest.raises(TalkRefused, match="Every team has a talk already"):
        fill(world, sessions)
    assert not Talk.objects.filter(team__in=(empty, gone)).exists()


def test_without_a_session_nothing_is_planned(world, offering):
    teams(offering, 1)
    with pytest.raises(TalkRefused, match="choose the sessions"):
        fill(world, [])


def test_an_order_is_saved_and_times_follow_it(world, hour):
    before = {hour.talk.pk: hour.talk.starts_at}
    order = {hour.session.pk: [hour.later.pk, hour.talk.pk]}
    assert planning.arrange(offering=world.offering, order=order, by=world.ta.user)
    assert names(hour.session) == ["Lean Caches", "Fast Attention"]
    hour.talk.refresh_from_db()
    hour.later.refresh_from_db()
    assert hour.talk.starts_at - hour.later.starts_at == timedelta(minutes=15)
    assert before[hour.talk.pk] != hour.talk.starts_at
    assert not planning.arrange(offering=world.offering, order=order, by=world.ta.user)
    told = AuditEvent.objects.get(action="reordered talks")
    assert told.before.endswith("Fast Attention, Lean Caches")
    assert told.after.endswith("Lean Caches, Fast Attention")


def test_a_talk_goes_to_another_session(world, hour):
    next_day = SessionFactory(offering=world.offering, date=hour.session.date + timedelta(days=2))
    assert planning.move(talk=hour.talk, session=next_day, by=world.ta.user)
    assert (names(hour.session), names(next_day)) == (["Lean Caches"], ["Fast Attention"])
    hour.later.refresh_from_db()
    assert hour.later.position == 1
    assert not planning.move(talk=hour.talk, session=next_day, by=world.ta.user)


def test_an_order_of_another_schedule_is_refused(world, hour):
    for order in ({hour.session.pk: [hour.talk.pk]}, {hour.session.pk: [hour.talk.pk, hour.later.pk, 999]}, {}):
        with pytest.raises(TalkRefused, match="changed since you opened it"):
            planning.arrange(offering=world.offering, order=order, by=world.ta.user)


def test_a_talk_that_took_place_keeps_session_and_time(world, hour):
    took_place = closed(opened(hour.talk, world.ta), world.ta)
    next_day = SessionFactory(offering=world.offering, date=hour.session.date + timedelta(days=2))
    with pytest.raises(TalkRefused, match="has presented already"):
        planning.move(talk=took_place, session=next_day, by=world.ta.user)
    order = {hour.session.pk: [hour.later.pk, took_place.pk]}
    assert planning.arrange(offering=world.offering, order=order, by=world.ta.user)
    assert Talk.objects.get(pk=took_place.pk).starts_at == took_place.starts_at


@pytest.mark.parametrize(
    ("move", "wanted"),
    [
        ("", {1: [10, 11], 2: [20]}),
        ("11:up", {1: [11, 10], 2: [20]}),
        ("10:up", {1: [10, 11], 2: [20]}),
        ("11:down", {1: [10], 2: [11, 20]}),
        ("20:up", {1: [10, 11, 20], 2: []}),
        ("20:down", {1: [10, 11], 2: [20]}),
        ("99:up", {1: [10, 11], 2: [20]}),
        ("11:sideways", {1: [10, 11], 2: [20]}),
    ],
)
def test_arrows_go_over_the_edge_of_a_session(move, wanted):
    assert read_order(["1:10", "1:11", "2:20"], move, [1, 2]) == wanted


@pytest.mark.parametrize("line", ["1", "x:y", "3:10", "1:10:2", ""])
def test_what_is_no_order_is_refused(line):
    with pytest.raises(TalkRefused):
        read_order([line], "", [1, 2])


def test_a_team_has_one_talk_that_counts_and_as_much_practice_as_it_likes(world, hour):
    add = {"offering": world.offering, "team": hour.team, "session": hour.session, "by": world.ta.user}
    with pytest.raises(TalkRefused, match="has a talk already"):
        planning.add_talk(practice=False, **add)
    assert planning.add_talk(practice=True, **add).position == 3
    assert planning.add_talk(practice=True, **add).practice


def test_a_planned_talk_is_taken_off_and_the_others_move_up(world, hour):
    planning.remove(talk=hour.talk, by=world.ta.user)
    hour.later.refresh_from_db()
    assert (names(hour.session), hour.later.position) == (["Lean Caches"], 1)
    with pytest.raises(TalkRefused, match="taken off the schedule meanwhile"):
        planning.remove(talk=hour.talk, by=world.ta.user)


def test_a_talk_that_was_rated_stays(world, hour):
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor)
    closed(hour.talk, world.ta)
    with pytest.raises(TalkRefused, match="so it stays"):
        planning.remove(talk=hour.talk, by=world.ta.user)
    assert hour.talk.ratings.count() == 1


RULES = NewRules(staff_share=50, scale=5, talk_minutes=12, question_minutes=3, first_talk=time(15, 30))


def set_rules(world, **change) -> bool:
    from dataclasses import replace

    return planning.set_rules(offering=world.offering, new=replace(RULES, **change), by=world.instructor.user)


def test_longer_talks_move_those_to_come(world, hour):
    assert set_rules(world, talk_minutes=20)
    hour.talk.refresh_from_db()
    hour.later.refresh_from_db()
    assert hour.later.starts_at - hour.talk.starts_at == timedelta(minutes=23)
    assert not set_rules(world, talk_minutes=20)
    event = AuditEvent.objects.get(action="set the rules of talks")
    assert "12 + 3 minutes" in event.before
    assert "20 + 3 minutes" in event.after


@pytest.mark.parametrize("who", ["classmate", "staff"])
def test_another_scale_is_refused_once_somebody_rated(world, hour, who):
    assert set_rules(world, scale=7)
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor) if who == "classmate" else staff_rated(hour.talk, world.ta)
    with pytest.raises(TalkRefused, match="two scales cannot be compared"):
        set_rules(world, scale=5)
    assert set_rules(world, scale=7, staff_share=60)


def test_a_new_talk_comes_to_the_end_of_its_session(world, hour):
    third = team(world.offering, person(world.offering))
    made = planning.add_talk(
        offering=world.offering, team=third, session=hour.session, practice=False, by=world.ta.user
    )
    assert made.position == 3
