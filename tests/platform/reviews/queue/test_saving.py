"""Saving from the queue, and taking the last save back: nothing of others is lost, and every act is on record."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from audit.models import AuditEvent
from reviews.agreement.models import DoubleReading
from reviews.marking.models import Adjustment, Claim, Mark, Purpose, Review
from reviews.marking.scores import hand_scores
from reviews.marking.services import GivenMark, ReviewConflict, ReviewRefused
from reviews.queue.claims import claim
from reviews.queue.services import Given, UndoRefused, save, take_back
from reviews.releases.services import release
from tests.factories import reviewed

pytestmark = pytest.mark.django_db


@pytest.fixture
def work(hand_ins):
    return hand_ins(1)[0]


def given(work, *scores: int, **more) -> Given:
    items = list(work.assignment.rubric.items.all())
    scores = scores or (2,) * len(items)
    marks = {
        item.pk: GivenMark(Decimal(score), f"on {item.task_id}") for item, score in zip(items, scores, strict=True)
    }
    return Given(marks=marks, **more)


def saved(work, by, what):
    return save(submission=work, purpose=Purpose.FIRST, given=what, by=by.user)


def whole(work) -> list:
    review = Review.objects.filter(submission=work).values(
        "grader_id", "comment", "staff_note", "flagged", "spent_s", "purpose"
    )
    marks = Mark.objects.filter(review__submission=work).order_by("item")
    return [list(review), list(marks.values("item_id", "title", "points", "score", "comment"))]


def test_a_save_stores_all_and_frees_the_claim(world, work):
    claim(submission_pk=work.pk, purpose=Purpose.FIRST, grader=world.ta.user)
    saved(work, world.ta, given(work, comment="Good.", staff_note="Look.", flagged=True, spent_s=40))
    review = Review.objects.get()
    assert (review.comment, review.staff_note, review.flagged, review.spent_s) == ("Good.", "Look.", True, 40)
    assert hand_scores([work])[work.pk].total == 12
    assert not Claim.objects.exists()


def test_a_refused_adjustment_stores_nothing(world, work):
    with pytest.raises(ReviewRefused, match="reason"):
        saved(work, world.ta, given(work, adjust_points=Decimal(-1)))
    assert not Review.objects.exists()
    assert not Adjustment.objects.exists()


def test_the_same_save_twice_adjusts_once(world, work):
    what = given(work, adjust_points=Decimal(-1), adjust_reason="Too long.")
    first = saved(work, world.ta, what)
    second = saved(work, world.ta, what)
    assert (first.repeated, second.repeated) == (False, True)
    assert hand_scores([work])[work.pk].total == 11


def test_two_graders_do_not_overwrite_each_other(world, work, other_ta):
    saved(work, other_ta, given(work, 0, 0, 0, 0, 0, 0))
    before = whole(work)
    with pytest.raises(ReviewConflict):
        saved(work, world.ta, given(work))
    assert whole(work) == before


def test_a_first_save_taken_back_leaves_nothing_but_the_record(world, work):
    step = saved(work, world.ta, given(work, adjust_points=Decimal(-1), adjust_reason="Too long."))
    taken = take_back(step=step, submission=work, by=world.ta.user)
    assert hand_scores([work]) == {}
    assert not Adjustment.objects.exists()
    assert [mark["score"] for mark in taken.marks] == ["2.00"] * 6
    undone = AuditEvent.objects.first()
    assert (undone.actor, undone.action, undone.after) == (world.ta.user, "took back", "")
    assert "The problem: 2" in undone.before
    assert AuditEvent.objects.filter(action="graded").count() == 1


def test_a_later_save_taken_back_brings_every_mark_and_word_back(world, work, other_ta):
    saved(work, other_ta, given(work, 2, 1, 0, 2, 1, 0, comment="Fair.", staff_note="x", flagged=True, spent_s=30))
    before, revision = whole(work), Review.objects.get().revision
    step = saved(work, world.ta, given(work, revision=revision, spent_s=5))
    assert whole(work) != before
    take_back(step=step, submission=work, by=world.ta.user)
    assert whole(work) == before
    assert Review.objects.get().revision > revision + 1  # an open page must not take these for those that it shows
    undone = AuditEvent.objects.first()
    assert "The problem: 2; Its impact: 1" in undone.after


def test_a_save_that_somebody_built_on_is_not_taken_back(world, work, other_ta):
    step = saved(work, world.ta, given(work))
    saved(work, other_ta, given(work, 1, 1, 1, 1, 1, 1, revision=step.revision))
    before = whole(work)
    with pytest.raises(UndoRefused, match="Tomas Brandt has changed"):
        take_back(step=step, submission=work, by=world.ta.user)
    assert whole(work) == before


def test_a_save_is_taken_back_once(world, work):
    step = saved(work, world.ta, given(work))
    take_back(step=step, submission=work, by=world.ta.user)
    with pytest.raises(UndoRefused):
        take_back(step=step, submission=work, by=world.ta.user)


def test_nobody_takes_back_for_another(world, work, other_ta):
    step = saved(work, world.ta, given(work))
    with pytest.raises(UndoRefused):
        take_back(step=step, submission=work, by=other_ta.user)
    assert Review.objects.exists()


def test_released_marks_do_not_vanish(world, work):
    step = saved(work, world.ta, given(work))
    release(assignment=work.assignment, by=world.instructor.user, partial=True)
    with pytest.raises(UndoRefused, match="released"):
        take_back(step=step, submission=work, by=world.ta.user)
    assert hand_scores([work])[work.pk].total == 12


def test_a_second_reading_taken_back_leaves_the_first(world, work, other_ta):
    first = reviewed(work, other_ta)
    step = save(submission=work, purpose=Purpose.SECOND, given=given(work, 0, 0, 0, 0, 0, 0), by=world.ta.user)
    assert DoubleReading.objects.exists()
    take_back(step=replace(step), submission=work, by=world.ta.user)
    assert list(Review.objects.all()) == [first]
    assert not DoubleReading.objects.exists()
