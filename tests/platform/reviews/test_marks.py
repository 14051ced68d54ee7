"""Marks by hand: whole or not at all, never over another's, and a line in the trail for each save."""

from __future__ import annotations

from decimal import Decimal

import pytest

from audit.models import AuditEvent
from reviews.marking.models import Mark, Purpose
from reviews.marking.scores import hand_scores, latest_submissions
from reviews.marking.services import GivenMark, ReviewConflict, ReviewRefused, adjust, save_review
from reviews.models import RubricItem
from submissions.texts import read_texts
from tests.factories import ReadingFactory, person, reviewed, summary

pytestmark = pytest.mark.django_db


@pytest.fixture
def reading(world):
    return ReadingFactory(assignment__offering=world.offering).assignment


@pytest.fixture
def work(world, reading):
    return summary(reading, world.student)


def given(work, score: int = 1, **comments: str) -> dict[int, GivenMark]:
    items = RubricItem.objects.filter(rubric__assignment=work.assignment)
    return {item.pk: GivenMark(Decimal(score), comments.get(item.task_id, "")) for item in items}


def test_the_usual_rubric_has_six_items_of_two_points(reading):
    items = list(reading.rubric.items.all())
    assert [item.points for item in items] == [2] * 6
    assert reading.points == 12
    assert all([level.key for level in item.levels.all()] == ["2", "1", "0"] for item in items)


def test_texts_come_back_by_item(work, reading):
    texts = read_texts(work)
    assert list(texts) == [item.task_id for item in reading.rubric.items.all()]
    assert texts["problem"] == "The problem, as I see it."


def test_marks_add_up_with_adjustments_and_stay_within_the_points(world, work):
    reviewed(work, world.ta, 2, 1, 0, 2, 1, 2)
    adjust(submission=work, points=Decimal("0.5"), reason="a fine figure", by=world.ta.user)
    assert hand_scores([work])[work.pk].total == Decimal("8.5")
    adjust(submission=work, points=Decimal(12), reason="a very fine figure", by=world.ta.user)
    assert hand_scores([work])[work.pk].total == 12


def test_what_is_not_reviewed_has_no_score(work):
    assert hand_scores([work]) == {}


def test_a_missing_mark_is_named_and_nothing_is_stored(world, work):
    marks = given(work)
    marks.pop(work.assignment.rubric.items.get(task_id="ideas").pk)
    with pytest.raises(ReviewRefused, match="Not marked yet: The main ideas"):
        save_review(submission=work, by=world.ta.user, marks=marks)
    assert not Mark.objects.exists()


@pytest.mark.parametrize("score", [Decimal("2.5"), Decimal(-1)])
def test_a_mark_beyond_its_points_is_refused(world, work, score):
    marks = given(work)
    marks[next(iter(marks))] = GivenMark(score)
    with pytest.raises(ReviewRefused, match="takes 0 to 2 points"):
        save_review(submission=work, by=world.ta.user, marks=marks)


def test_two_graders_do_not_overwrite_each_other(world, work):
    first = reviewed(work, world.ta, 2, 2, 2, 2, 2, 2)
    with pytest.raises(ReviewConflict, match="Priya Raman has graded this one"):
        reviewed(work, world.instructor, 0, 0, 0, 0, 0, 0)
    changed = save_review(submission=work, by=world.instructor.user, marks=given(work, 0), revision=first.revision)
    assert changed.revision == 2
    assert hand_scores([work])[work.pk].total == 0


def test_the_same_save_twice_is_one(world, work):
    assert reviewed(work, world.ta).revision == reviewed(work, world.ta).revision == 1


def test_a_second_reading_never_counts(world, work):
    reviewed(work, world.ta, 2, 2, 2, 2, 2, 2)
    reviewed(work, world.instructor, 0, 0, 0, 0, 0, 0, purpose=Purpose.SECOND)
    assert hand_scores([work])[work.pk].total == 12


def test_each_save_leaves_who_from_and_to(world, work):
    review = reviewed(work, world.ta, 2, 2, 2, 2, 2, 2)
    save_review(
        submission=work, by=world.instructor.user, marks=given(work, 1), revision=review.revision, reason="asked"
    )
    latest = AuditEvent.objects.first()
    assert (latest.actor, latest.action, latest.reason) == (world.instructor.user, "graded", "asked")
    assert "The problem: 2" in latest.before
    assert "The problem: 1" in latest.after


def test_the_last_submission_of_each_active_student_counts(world, reading):
    summary(reading, world.student)
    newest = summary(reading, world.student)
    theirs = summary(reading, world.classmate)
    summary(reading, world.dropped)
    summary(ReadingFactory(assignment__offering=world.offering).assignment, person(world.offering))
    assert set(latest_submissions(reading)) == {newest, theirs}
