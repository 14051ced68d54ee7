"""What is in the queue, in which order, and as what each grader sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config import clock
from reviews.marking.models import Purpose
from reviews.marking.scores import latest_submissions
from reviews.queue.rows import hand_graded, latest, left_in_queue
from reviews.queue.standings import standings
from submissions.models import Submission
from tests.factories import ExtensionFactory, ReadingFactory, person, reviewed, summary

pytestmark = pytest.mark.django_db


def seen(reading, by):
    return standings([reading], by.user, clock.now())[reading.pk]


def order(reading, by):
    return [row.submission_pk for row in seen(reading, by).rows]


def test_the_queue_holds_the_submissions_that_count(world, reading, hand_ins):
    hand_ins(4)
    summary(reading, world.student)
    newest = summary(reading, world.student)
    summary(reading, world.dropped)
    assert {work.submission_pk for work in latest([reading])} == {row.pk for row in latest_submissions(reading)}
    assert newest.pk in order(reading, world.ta)
    assert len(order(reading, world.ta)) == 5


def test_labs_are_not_graded_by_hand_and_readings_of_others_are_elsewhere(world, reading):
    ReadingFactory()
    assert list(hand_graded(world.offering)) == [reading]


def test_work_is_in_the_queue_from_the_second_after_its_due_moment_on(world, reading, at):
    summary(reading, world.student)
    at(reading.due_at.replace(microsecond=999_999))
    assert seen(reading, world.ta).rows == ()
    assert seen(reading, world.ta).waiting == 1
    assert left_in_queue(world.offering, world.ta.user, clock.now()) == 0
    at(reading.due_at.replace(microsecond=0) + timedelta(seconds=1))
    assert seen(reading, world.ta).waiting == 0
    assert left_in_queue(world.offering, world.ta.user, clock.now()) == 1


def test_an_extension_keeps_its_students_work_out_until_it_has_passed(world, reading, at):
    extended, plain = summary(reading, world.student), summary(reading, world.classmate)
    ExtensionFactory(assignment=reading, enrollment=world.student, due_at=reading.due_at + timedelta(days=3))
    assert order(reading, world.ta) == [plain.pk]
    assert (seen(reading, world.ta).waiting, left_in_queue(world.offering, world.ta.user, clock.now())) == (1, 1)
    number = seen(reading, world.ta).rows[0].number
    at(reading.due_at + timedelta(days=3, seconds=1))
    assert set(order(reading, world.ta)) == {plain.pk, extended.pk}
    assert seen(reading, world.ta).find(plain.pk).number == number
    assert left_in_queue(world.offering, world.ta.user, clock.now()) == 2


def test_the_order_is_the_same_for_every_grader_and_after_every_save(world, reading, hand_ins):
    hand_ins(12)
    first = order(reading, world.ta)
    reviewed(Submission.objects.get(pk=first[5]), world.ta)
    assert first == order(reading, world.ta) == order(reading, world.instructor)


def test_the_order_is_neither_of_names_nor_of_time(world, reading, hand_ins):
    by_time = [submission.pk for submission in hand_ins(12)]  # the factory's names ascend with it
    assert order(reading, world.ta) not in (by_time, by_time[::-1])


def test_the_order_differs_between_assignments(world, reading):
    second = ReadingFactory(assignment__offering=world.offering, assignment__due_at=reading.due_at).assignment
    students = [person(world.offering) for _ in range(12)]
    for student in students:
        summary(reading, student)
        summary(second, student)
    one, other = ([row.people for row in seen(one, world.ta).rows] for one in (reading, second))
    assert set(one) == set(other)
    assert one != other


def test_handing_in_again_keeps_the_place(world, reading, hand_ins):
    old = hand_ins(6)[2]
    place = seen(reading, world.ta).find(old.pk).number
    again = summary(reading, old.enrollment)
    assert seen(reading, world.ta).find(old.pk) is None
    assert seen(reading, world.ta).find(again.pk).number == place


def test_what_others_graded_is_graded_and_what_i_graded_is_mine(world, reading, hand_ins, other_ta):
    theirs, mine, left = hand_ins(3)
    reviewed(theirs, other_ta)
    reviewed(mine, world.ta)
    states = {row.submission_pk: row.state for row in seen(reading, world.ta).rows}
    assert states == {theirs.pk: "graded", mine.pk: "mine", left.pk: "left"}
    assert (seen(reading, world.ta).graded, seen(reading, world.ta).left) == (2, 1)
    assert left_in_queue(world.offering, world.ta.user, clock.now()) == 1


@pytest.mark.usefixtures("all_chosen")
class TestSecondReadings:
    """What is read twice looks to the second reader as if nobody had read it."""

    def test_the_second_reader_sees_work_that_nobody_read(self, world, reading, hand_ins, other_ta):
        plain = seen(reading, world.ta)
        (work,) = hand_ins(1)
        untouched = seen(reading, world.ta).rows[0]
        reviewed(work, other_ta)
        row = seen(reading, world.ta).rows[0]
        assert (row.state, row.review_pk, row.flagged) == (untouched.state, None, False)
        assert row.purpose == Purpose.SECOND
        assert plain.graded == seen(reading, world.ta).graded == 0

    def test_nobody_reads_their_own_a_second_time(self, world, reading, hand_ins):
        (work,) = hand_ins(1)
        reviewed(work, world.ta)
        assert seen(reading, world.ta).rows[0].state == "mine"

    def test_after_the_second_reading_a_third_grader_sees_the_first(self, world, reading, hand_ins, other_ta):
        (work,) = hand_ins(1)
        first = reviewed(work, other_ta)
        second = reviewed(work, world.ta, 0, 0, 0, 0, 0, 0, purpose=Purpose.SECOND)
        assert seen(reading, world.ta).rows[0].review_pk == second.pk
        row = seen(reading, world.instructor).rows[0]
        assert (row.state, row.purpose, row.review_pk) == ("graded", Purpose.FIRST, first.pk)

    def test_the_number_left_tells_no_second_reading_from_a_first(self, world, reading, hand_ins, other_ta):
        works = hand_ins(5)
        reviewed(works[0], other_ta)
        reviewed(works[1], world.ta)
        reviewed(works[2], other_ta)
        reviewed(works[2], world.instructor, purpose=Purpose.SECOND)
        for who, left in ((world.ta, 3), (other_ta, 3), (world.instructor, 4)):
            assert seen(reading, who).left == left_in_queue(world.offering, who.user, clock.now()) == left
