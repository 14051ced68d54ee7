"""Both readings are kept as they were made; an instructor decides once what counts, with a reason."""

from __future__ import annotations

from decimal import Decimal

import pytest

from audit.models import AuditEvent
from reviews.agreement.double import keep_double_reading
from reviews.agreement.models import DoubleReading, Outcome
from reviews.agreement.services import settle
from reviews.marking.models import Purpose, Review
from reviews.marking.scores import hand_scores
from reviews.marking.services import GivenMark, ReviewConflict, ReviewRefused, save_review
from reviews.queue.services import take_back
from reviews.queue.undo import Step
from tests.factories import reviewed, summary

pytestmark = pytest.mark.django_db
FULL, LOW = (2, 2, 2, 2, 2, 2), (0, 1, 1, 1, 1, 1)


def total(reading: DoubleReading) -> Decimal:
    return hand_scores([reading.submission])[reading.submission_id].total


def first_of(reading: DoubleReading) -> Review:
    return Review.objects.counting().get(submission=reading.submission)


def decided(reading, by, outcome=Outcome.SECOND, *, marks=None, reason="closer to the levels", revision=1):
    return settle(reading=reading, outcome=outcome, marks=marks or {}, reason=reason, revision=revision, by=by.user)


def shown(reading: DoubleReading) -> list[tuple[int, int]]:
    return [(int(mark.first), int(mark.second)) for mark in reading.marks.all()]


def test_one_reading_is_no_pair(world, reading):
    reviewed(summary(reading, world.student), world.ta)
    assert not DoubleReading.objects.exists()


def test_both_are_kept_with_who_and_what(world, twice, other_ta):
    kept = twice(FULL, LOW)
    assert (kept.first_grader, kept.second_grader) == (world.ta.user, other_ta.user)
    assert shown(kept) == list(zip(FULL, LOW, strict=True))
    assert (kept.first_comment, kept.second_comment) == ("First says.", "Second says.")
    assert total(kept) == 12


def corrected(kept: DoubleReading, by) -> None:
    """All of the first reading's marks become 1."""
    review = first_of(kept)
    marks = {mark.item_id: GivenMark(Decimal(1)) for mark in review.marks.all()}
    save_review(submission=kept.submission, by=by.user, marks=marks, revision=review.revision)


def test_a_reader_who_soon_corrects_themselves_is_followed(world, twice):
    kept = twice(FULL, LOW, just_now=True)
    corrected(kept, world.ta)
    assert shown(kept) == [(1, mark) for mark in LOW]


def test_a_reader_who_may_have_seen_the_other_marks_is_not(world, twice):
    kept = twice(FULL, LOW)
    corrected(kept, world.ta)
    Review.objects.second().filter(submission=kept.submission).delete()
    keep_double_reading(kept.submission)
    assert total(kept) == 6
    assert shown(kept) == list(zip(FULL, LOW, strict=True))


def test_a_reading_that_is_soon_taken_back_is_no_reading_any_more(twice, other_ta):
    kept = twice(FULL, LOW, just_now=True)
    Review.objects.second().filter(submission=kept.submission).delete()
    assert keep_double_reading(kept.submission) is None
    assert not DoubleReading.objects.exists()
    reviewed(kept.submission, other_ta, *FULL, purpose=Purpose.SECOND)
    assert shown(DoubleReading.objects.get()) == [(2, 2)] * 6


def test_undo_in_the_queue_takes_a_reading_out(twice, other_ta):
    kept = twice(FULL, LOW, just_now=True)
    work = kept.submission
    step = Step(assignment_pk=work.assignment_id, submission_pk=work.pk, purpose=Purpose.SECOND, revision=1)
    take_back(step=step, submission=work, by=other_ta.user)
    assert not DoubleReading.objects.exists()


def test_what_somebody_else_makes_of_the_score_is_no_reading(world, twice):
    kept = twice(FULL, LOW, just_now=True)
    corrected(kept, world.instructor)
    assert total(kept) == 6
    assert shown(kept) == list(zip(FULL, LOW, strict=True))


@pytest.mark.parametrize(
    ("second", "far"),
    [
        ((2, 2, 2, 2, 2, 2), False),
        ((1, 1, 2, 2, 2, 2), False),
        ((0, 2, 2, 2, 2, 2), True),
        ((1, 1, 1, 2, 2, 2), True),
    ],
)
def test_two_points_on_an_item_or_three_in_all_are_far_apart(twice, second, far):
    assert twice(FULL, second).is_far_apart is far


def test_opposite_differences_are_far_apart_only_where_one_is_wide(twice):
    assert twice((2, 1, 2, 1, 2, 1), (1, 2, 1, 2, 1, 2)).is_far_apart is False


def test_adopting_the_second_reading_makes_it_the_score(world, twice):
    kept = twice(FULL, LOW)
    decided(kept, world.instructor)
    assert total(kept) == sum(LOW)
    assert first_of(kept).comment == "Second says."
    assert shown(kept) == list(zip(FULL, LOW, strict=True))
    graded = AuditEvent.objects.filter(subject_id=kept.submission_id, action="graded").first()
    assert (graded.actor, graded.reason) == (world.instructor.user, "closer to the levels")
    assert "The problem: 2" in graded.before
    assert "The problem: 0" in graded.after


def test_other_marks_become_the_score_and_keep_the_comments(world, twice):
    kept = twice(FULL, LOW)
    decided(kept, world.instructor, Outcome.SETTLED, marks={mark.item_id: Decimal(1) for mark in kept.marks.all()})
    assert total(kept) == 6
    assert first_of(kept).comment == "First says."


def test_the_first_reading_may_stand_and_nothing_is_saved_over_it(world, twice):
    kept = twice(FULL, LOW)
    decided(kept, world.instructor, Outcome.FIRST)
    assert total(kept) == 12
    assert first_of(kept).grader == world.ta.user
    assert AuditEvent.objects.first().action == "settled two readings"


def test_an_instructor_who_read_first_does_not_change_the_reading_by_settling(world, twice, other_ta):
    kept = twice(FULL, LOW, by=(world.instructor, other_ta), just_now=True)
    decided(kept, world.instructor)
    assert total(kept) == sum(LOW)
    assert shown(kept) == list(zip(FULL, LOW, strict=True))


def test_it_is_settled_once(world, twice):
    kept = twice(FULL, LOW)
    decided(kept, world.instructor)
    with pytest.raises(ReviewRefused, match="Ines Carvalho has settled this already"):
        decided(kept, world.instructor, Outcome.FIRST)


@pytest.mark.parametrize("reason", ["", "  ", "x"])
def test_without_a_reason_nothing_is_settled(world, twice, reason):
    kept = twice(FULL, LOW)
    with pytest.raises(ReviewRefused, match="reason"):
        decided(kept, world.instructor, reason=reason)
    assert not DoubleReading.objects.get().outcome


def test_a_missing_mark_settles_nothing(world, twice):
    kept = twice(FULL, LOW)
    with pytest.raises(ReviewRefused, match="Not marked yet"):
        decided(kept, world.instructor, Outcome.SETTLED, marks={kept.marks.first().item_id: Decimal(1)})
    assert not DoubleReading.objects.get().outcome
    assert total(kept) == 12


def test_a_score_that_changed_since_the_page_was_read_is_not_overwritten(world, twice):
    kept = twice(FULL, LOW)
    with pytest.raises(ReviewConflict):
        decided(kept, world.instructor, revision=0)
    assert not DoubleReading.objects.get().outcome


def test_the_second_reading_is_saved_under_its_own_purpose(twice):
    kept = twice(FULL, LOW)
    assert Review.objects.second().get(submission=kept.submission).purpose == Purpose.SECOND
