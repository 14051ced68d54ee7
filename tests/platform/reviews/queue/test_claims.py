"""Claims: one grader a submission, one submission a grader, for as long as the lease is renewed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config import clock
from reviews.marking.models import Claim, Purpose
from reviews.queue import standings as module
from reviews.queue.claims import claim, claim_next, holder, release
from reviews.queue.standings import standings
from tests.factories import ExtensionFactory, person, reviewed

pytestmark = pytest.mark.django_db


def next_of(reading, by, after=None):
    row = claim_next(assignment=reading, grader=by.user, after=after)
    return row.submission_pk if row else None


def order(reading, by):
    return [row.submission_pk for row in standings([reading], by.user, clock.now())[reading.pk].rows]


def test_two_graders_get_two_submissions(world, reading, hand_ins, other_ta):
    hand_ins(2)
    assert [next_of(reading, world.ta), next_of(reading, other_ta)] == order(reading, world.ta)
    assert next_of(reading, world.instructor) is None


def test_asking_again_gives_what_one_holds(world, reading, hand_ins):
    hand_ins(3)
    assert next_of(reading, world.ta) == next_of(reading, world.ta)
    assert Claim.objects.count() == 1


def test_going_on_frees_what_one_held(world, reading, hand_ins, other_ta):
    hand_ins(3)
    first = next_of(reading, world.ta)
    second = next_of(reading, world.ta, after=first)
    assert [first, second] == order(reading, world.ta)[:2]
    assert next_of(reading, other_ta) == first


def test_what_one_skipped_comes_after_all_others(world, reading, hand_ins):
    hand_ins(3)
    one, two, three = order(reading, world.ta)
    assert next_of(reading, world.ta) == one
    release(submission_pk=one, grader=world.ta.user)
    assert next_of(reading, world.ta, after=one) == two
    assert next_of(reading, world.ta, after=two) == three
    assert next_of(reading, world.ta, after=three) == one


def test_a_lease_that_ran_out_is_anyones_and_a_renewed_one_is_not(world, reading, *, hand_ins, other_ta, at, settings):
    (work,) = hand_ins(1)
    start = clock.now()
    at(start)
    assert next_of(reading, world.ta) == work.pk
    at(start + timedelta(seconds=settings.REVIEW_LEASE_S - 1))
    assert next_of(reading, other_ta) is None
    assert claim(submission_pk=work.pk, purpose=Purpose.FIRST, grader=world.ta.user)
    at(start + timedelta(seconds=settings.REVIEW_LEASE_S + 1))
    assert next_of(reading, other_ta) is None
    assert holder(submission_pk=work.pk, purpose=Purpose.FIRST) == "Priya Raman"
    at(start + timedelta(seconds=2 * settings.REVIEW_LEASE_S))
    assert holder(submission_pk=work.pk, purpose=Purpose.FIRST) == ""
    assert next_of(reading, other_ta) == work.pk
    assert not claim(submission_pk=work.pk, purpose=Purpose.FIRST, grader=world.ta.user)


def test_others_see_who_reads(world, reading, hand_ins, other_ta):
    hand_ins(1)
    next_of(reading, world.ta)
    (row,) = standings([reading], other_ta.user, clock.now())[reading.pk].rows
    assert (row.state, row.reader) == ("reading", "Priya Raman")


def test_what_is_graded_cannot_be_claimed(world, reading, hand_ins, other_ta):
    (work,) = hand_ins(1)
    reviewed(work, other_ta)
    assert next_of(reading, world.ta) is None
    assert not claim(submission_pk=work.pk, purpose=Purpose.FIRST, grader=world.ta.user)
    assert not Claim.objects.exists()


def test_work_whose_student_has_more_time_is_never_next(world, reading, hand_ins):
    (work,) = hand_ins(1)
    ExtensionFactory(assignment=reading, enrollment=work.enrollment, due_at=clock.now() + timedelta(days=1))
    assert next_of(reading, world.ta) is None


@pytest.mark.usefixtures("all_chosen")
def test_a_second_reading_is_offered_in_turn_and_to_one_grader_alone(world, reading, hand_ins, other_ta):
    works = {work.pk: work for work in hand_ins(2)}
    one, two = order(reading, world.ta)
    reviewed(works[one], other_ta)
    row = claim_next(assignment=reading, grader=world.ta.user)
    assert (row.submission_pk, row.purpose) == (one, Purpose.SECOND)
    assert next_of(reading, world.instructor) == two
    assert next_of(reading, other_ta) is None


def test_a_claimed_second_reading_stays_one_when_the_choice_changes(world, reading, hand_ins, other_ta, monkeypatch):
    (work,) = hand_ins(1)
    reviewed(work, other_ta)
    monkeypatch.setattr(module, "is_chosen", lambda *_: True)
    assert next_of(reading, world.ta) == work.pk
    monkeypatch.setattr(module, "is_chosen", lambda *_: False)
    (row,) = standings([reading], world.ta.user, clock.now())[reading.pk].rows
    assert (row.state, row.purpose) == ("held", Purpose.SECOND)


def test_twenty_graders_share_twenty_submissions(world, reading, hand_ins):
    hand_ins(20)
    graders = [person(world.offering, "ta") for _ in range(20)]
    assert sorted(next_of(reading, one) for one in graders) == sorted(order(reading, world.ta))
