"""What is read twice: so many, nobody can tell which, the same ones tomorrow; and what the queue offers to whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config import clock
from reviews.agreement.choice import is_chosen
from reviews.marking.models import Claim, Purpose
from reviews.queue.standings import standings
from tests.factories import person, reviewed, summary

pytestmark = pytest.mark.django_db


@pytest.fixture
def everything_twice(settings):
    settings.SECOND_READING_SHARE = 1.0


def offered(work, grader) -> str | None:
    """What the queue would have this grader read the work for."""
    row = standings([work.assignment], grader.user, clock.now())[work.assignment_id].find(work.pk)
    return row.purpose if row and row.state in {"left", "held"} else None


def claimed(work, grader, purpose: str, *, minutes: int = 5) -> Claim:
    now = clock.now()
    return Claim.objects.create(
        submission=work, purpose=purpose, grader=grader.user, taken_at=now, until=now + timedelta(minutes=minutes)
    )


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_so_many_are_chosen(settings, share):
    settings.SECOND_READING_SHARE = share
    chosen = sum(is_chosen(assignment, student) for assignment in range(10) for student in range(2000))
    assert chosen == pytest.approx(20_000 * share, rel=0.06)


def test_none_and_all(settings):
    settings.SECOND_READING_SHARE = 0.0
    assert not any(is_chosen(1, student) for student in range(500))
    settings.SECOND_READING_SHARE = 1.0
    assert all(is_chosen(1, student) for student in range(500))


def test_without_the_key_the_choice_cannot_be_told(settings):
    settings.SECOND_READING_SHARE = 0.1
    settings.SECRET_KEY = "one key"
    first = [is_chosen(1, student) for student in range(2000)]
    settings.SECRET_KEY = "another key"
    second = [is_chosen(1, student) for student in range(2000)]
    both = sum(a and b for a, b in zip(first, second, strict=True))
    assert both < 45  # a hundredth of them by chance, 20
    settings.SECRET_KEY = "one key"
    assert [is_chosen(1, student) for student in range(2000)] == first


def test_a_student_who_is_chosen_once_is_not_chosen_always(settings):
    settings.SECOND_READING_SHARE = 0.1
    again = [sum(is_chosen(assignment, student) for assignment in range(10)) for student in range(500)]
    assert max(again) < 8
    assert min(again) == 0


def test_handing_in_again_does_not_change_the_choice(world, reading, settings):
    settings.SECOND_READING_SHARE = 0.5
    for _ in range(20):
        student = person(world.offering)
        first, second = summary(reading, student), summary(reading, student)
        assert is_chosen(first.assignment_id, first.enrollment_id) == is_chosen(
            second.assignment_id, second.enrollment_id
        )


def test_what_nobody_has_read_is_a_first_reading(world, reading, everything_twice):
    assert offered(summary(reading, world.student), world.ta) == Purpose.FIRST


def test_a_chosen_one_goes_to_somebody_else(world, reading, other_ta, everything_twice):
    work = summary(reading, world.student)
    reviewed(work, world.ta)
    assert offered(work, other_ta) == Purpose.SECOND
    assert offered(work, world.ta) is None
    reviewed(work, other_ta, purpose=Purpose.SECOND)
    assert offered(work, world.instructor) is None


def test_one_that_is_not_chosen_is_read_once(world, reading, other_ta, settings):
    settings.SECOND_READING_SHARE = 0.0
    work = summary(reading, world.student)
    reviewed(work, world.ta)
    assert offered(work, other_ta) is None


def test_a_grader_who_is_alone_has_nothing_left(world, reading, everything_twice):
    works = [summary(reading, person(world.offering)) for _ in range(5)]
    for work in works:
        reviewed(work, world.ta)
    assert [offered(work, world.ta) for work in works] == [None] * 5


def test_a_calibration_reading_is_neither_first_nor_second(world, reading, other_ta, everything_twice):
    work = summary(reading, world.student)
    reviewed(work, world.ta, purpose=Purpose.CALIBRATION)
    assert offered(work, world.ta) == Purpose.FIRST
    reviewed(work, other_ta)
    assert offered(work, world.ta) == Purpose.SECOND


def test_what_somebody_reads_now_is_not_offered_to_others(world, reading, other_ta, everything_twice):
    work = summary(reading, world.student)
    claim = claimed(work, other_ta, Purpose.FIRST)
    assert offered(work, world.ta) is None
    assert offered(work, other_ta) == Purpose.FIRST
    claim.delete()
    reviewed(work, other_ta)
    claimed(work, world.instructor, Purpose.SECOND)
    assert offered(work, world.ta) is None


def test_a_dead_lease_holds_nothing(world, reading, other_ta, everything_twice):
    work = summary(reading, world.student)
    claimed(work, other_ta, Purpose.FIRST, minutes=-1)
    assert offered(work, world.ta) == Purpose.FIRST
