"""Opening, rating and closing: who may rate, once each, and what a late or double save comes to."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from audit.models import AuditEvent
from config import clock
from courses.models import Role
from projects.models import Membership, Rating, StaffRating
from projects.presentations import opening
from projects.presentations.hour import turnout
from projects.presentations.locks import TalkRefused
from projects.presentations.models import Moderation
from projects.presentations.moderation import moderate
from projects.presentations.rating import RatingChanged, marks_of
from projects.presentations.releasing import release
from projects.presentations.scores import presentation_scores
from tests.factories import closed, opened, person, rated, staff_rated, talk, team

pytestmark = pytest.mark.django_db


def speakers(talk) -> set[str]:
    return set(talk.speakers.values_list("enrollment__user__name", flat=True))


def test_the_team_as_it_stands_at_the_opening_are_the_speakers(world, hour):
    opened(hour.talk, world.ta)
    Membership.objects.filter(enrollment=world.classmate).update(left_at=clock.now())
    assert speakers(hour.talk) == {"Ada Lindqvist", "Kofi Mensah"}
    closed(hour.talk, world.ta)
    opened(hour.talk, world.ta)
    assert speakers(hour.talk) == {"Ada Lindqvist", "Kofi Mensah"}
    acts = AuditEvent.objects.filter(subject_type="Talk").order_by("pk").values_list("action", flat=True)
    assert list(acts) == ["opened ratings", "closed ratings", "reopened ratings"]


def test_one_talk_is_open_at_a_time(world, hour):
    opened(hour.talk, world.ta)
    with pytest.raises(TalkRefused, match="Fast Attention is being rated now"):
        opening.open_ratings(talk=hour.later, by=world.ta.user)
    assert opening.open_ratings(talk=hour.later, by=world.ta.user, close_other=True)
    hour.talk.refresh_from_db()
    assert hour.talk.closed_at is not None
    assert not opening.open_ratings(talk=hour.later, by=world.ta.user)


def test_the_database_holds_that_too(world, hour):
    opened(hour.talk, world.ta)
    hour.later.opened_at = clock.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        hour.later.save()


def test_a_team_without_members_cannot_be_opened(world, hour):
    hour.team.memberships.update(left_at=clock.now())
    with pytest.raises(TalkRefused, match="no members now"):
        opening.open_ratings(talk=hour.talk, by=world.ta.user)
    assert not hour.talk.speakers.exists()


def test_classmates_rate_and_the_own_team_does_not(world, hour):
    opened(hour.talk, world.ta)
    assert rated(hour.talk, hour.noor, 5, "  Clear graphs.  ").comment == "Clear graphs."
    for own in (world.student, world.classmate):
        with pytest.raises(TalkRefused, match="your own team's talk"):
            rated(hour.talk, own)
    assert Rating.objects.count() == 1


def test_who_joined_the_team_later_is_of_the_own_team(world, hour):
    opened(hour.talk, world.ta)
    Membership.objects.create(team=hour.team, enrollment=hour.listeners[0], joined_at=clock.now())
    with pytest.raises(TalkRefused, match="your own team's talk"):
        rated(hour.talk, hour.listeners[0])


def test_before_the_opening_and_after_the_close_nothing_is_taken(world, hour):
    with pytest.raises(TalkRefused, match="not open yet"):
        rated(hour.talk, hour.noor)
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor, 3)
    closed(hour.talk, world.ta)
    with pytest.raises(TalkRefused, match="are closed"):
        rated(hour.talk, hour.noor, 5, revision=1)
    with pytest.raises(TalkRefused, match="are closed"):
        rated(hour.talk, hour.linh)
    assert Rating.objects.get().score == 3
    opened(hour.talk, world.ta)
    assert rated(hour.talk, hour.noor, 5, revision=1).score == 5


def test_a_rating_is_edited_until_the_close(world, hour):
    opened(hour.talk, world.ta)
    first = rated(hour.talk, hour.noor, 3)
    again = rated(hour.talk, hour.noor, 5, "Better than I thought.", revision=first.revision)
    assert (again.pk, again.score, again.revision) == (first.pk, 5, 2)


def test_the_same_once_more_changes_nothing(world, hour):
    opened(hour.talk, world.ta)
    once = rated(hour.talk, hour.noor, 4, "Good.")
    twice = rated(hour.talk, hour.noor, 4, "Good.", revision=0)
    assert (twice.pk, twice.revision, twice.saved_at) == (once.pk, 1, once.saved_at)


def test_a_late_save_never_replaces_a_newer_one_unseen(world, hour):
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor, 4, "From the phone.")
    with pytest.raises(RatingChanged, match=r"4, “From the phone\.”") as told:
        rated(hour.talk, hour.noor, 1, revision=0)
    assert told.value.revision == 1
    assert rated(hour.talk, hour.noor, 1, revision=1).score == 1


def test_another_comment_is_another_decision(world, hour):
    opened(hour.talk, world.ta)
    rating = rated(hour.talk, hour.noor, 4, "Good.")
    assert moderate(rating=rating, decision=Moderation.SHOWN, revision=1, by=world.ta.user)
    assert rated(hour.talk, hour.noor, 5, "Good.", revision=1).moderation == Moderation.SHOWN
    changed = rated(hour.talk, hour.noor, 5, "Bad words.", revision=2)
    assert (changed.moderation, changed.moderated_by) == (Moderation.WAITING, None)
    with pytest.raises(TalkRefused, match="changed this comment while you read it"):
        moderate(rating=rating, decision=Moderation.SHOWN, revision=2, by=world.ta.user)


def test_staff_rate_by_five_criteria_until_the_release(world, hour):
    opened(hour.talk, world.ta)
    staff_rated(hour.talk, world.ta, 5, 4, 3, 2, 1)
    closed(hour.talk, world.ta)
    staff_rated(hour.talk, world.instructor, comment="Well done.")
    staff_rated(hour.talk, world.ta, 5, 5, 5, 5, 5, revision=1)
    rating = StaffRating.objects.get(rater=world.ta)
    assert (set(marks_of(rating).values()), rating.revision) == ({5}, 2)
    release(offering=world.offering, talks=[hour.talk.pk], by=world.instructor.user)
    with pytest.raises(TalkRefused, match="sees its score already"):
        staff_rated(hour.talk, world.ta, 1, 1, 1, 1, 1, revision=2)
    with pytest.raises(TalkRefused, match="Take the release back first"):
        opening.open_ratings(talk=hour.talk, by=world.ta.user)


def test_two_windows_of_one_grader(world, hour):
    opened(hour.talk, world.ta)
    staff_rated(hour.talk, world.ta, 5, 4, 3, 2, 1)
    staff_rated(hour.talk, world.ta, 5, 4, 3, 2, 1)
    with pytest.raises(RatingChanged, match="5 4 3 2 1, without a comment"):
        staff_rated(hour.talk, world.ta, 1, 1, 1, 1, 1)


def test_speakers_are_changed_later_and_the_score_goes_with_them(world, hour):
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor, 2)
    rated(hour.talk, hour.listeners[0], 5)
    closed(hour.talk, world.ta)
    assert opening.add_speaker(talk=hour.talk, enrollment=hour.listeners[0], by=world.ta.user)
    assert not opening.add_speaker(talk=hour.talk, enrollment=hour.listeners[0], by=world.ta.user)
    assert opening.remove_speaker(talk=hour.talk, enrollment=world.classmate, by=world.ta.user)
    assert not opening.remove_speaker(talk=hour.talk, enrollment=world.classmate, by=world.ta.user)
    scores = presentation_scores(world.offering)
    assert set(scores) == {world.student.pk, hour.listeners[0].pk}
    assert {score.classmates_mean for score in scores.values()} == {2}  # what a speaker rated of it does not count
    event = AuditEvent.objects.filter(action="changed speakers").first()
    assert "Kofi Mensah" in event.before
    assert "Kofi Mensah" not in event.after


def test_nobody_speaks_in_two_talks_that_count(world, hour):
    opened(hour.talk, world.ta)
    with pytest.raises(TalkRefused, match="Change the team until then"):
        opening.add_speaker(talk=hour.later, enrollment=world.student, by=world.ta.user)
    Membership.objects.filter(enrollment=world.student).update(left_at=clock.now())
    Membership.objects.create(team=hour.other, enrollment=world.student, joined_at=clock.now())
    opening.open_ratings(talk=hour.later, by=world.ta.user, close_other=True)
    assert speakers(hour.later) == {"Noor Haddad", "Linh Nguyen"}
    with pytest.raises(TalkRefused, match="spoke with Fast Attention"):
        opening.add_speaker(talk=hour.later, enrollment=world.student, by=world.ta.user)


def test_practice_takes_nobodys_place(world, hour):
    practice = talk(hour.team, practice=True)
    closed(opened(practice, world.ta), world.ta)
    opened(hour.talk, world.ta)
    assert speakers(hour.talk) == speakers(practice)


def test_the_turnout_counts_who_is_asked_and_never_says_what(world, hour):
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor, 1)
    staff_rated(hour.talk, world.ta)
    found = turnout(hour.talk)
    assert (found.rated, found.asked, found.staff_rated, found.staff_asked) == (1, 6, 1, 2)
    assert found.staff_missing == ("Ines Carvalho",)
    assert set(found.missing) == {"Linh Nguyen", "Mei Chen", "Jin Watanabe", "Omar Farouk", "Nia Cole"}
    person(world.offering, Role.TA)
    assert turnout(hour.talk).staff_asked == 3


def test_who_dropped_keeps_the_rating_and_leaves_the_turnout(world, hour):
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor, 1)
    hour.noor.dropped_at = clock.now()
    hour.noor.save()
    assert (turnout(hour.talk).rated, turnout(hour.talk).asked) == (0, 5)
    closed(hour.talk, world.ta)
    assert presentation_scores(world.offering)[world.student.pk].raters == 1


def test_a_class_without_talks(world):
    assert presentation_scores(world.offering) == {}
    assert team(world.offering).talks.count() == 0
