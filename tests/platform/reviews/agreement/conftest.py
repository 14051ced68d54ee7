"""A reading with two TAs and an instructor."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config import clock
from courses.models import Role
from reviews.agreement.models import DoubleReading
from tests.factories import ReadingFactory, person, reviewed, summary


@pytest.fixture
def reading(world):
    """It was due an hour ago."""
    due = clock.now() - timedelta(hours=1)
    return ReadingFactory(assignment__offering=world.offering, assignment__due_at=due).assignment


@pytest.fixture
def other_ta(world):
    return person(world.offering, Role.TA, name="Tomas Novak")


@pytest.fixture
def twice(world, reading, other_ta):
    """`twice((2, 2, 2, 2, 2, 2), (1, 1, 1, 1, 1, 1))`: another student's summary, read by both TAs an hour ago, or `just_now`."""

    def read(first, second, *, by=None, just_now=False):
        readers = by or (world.ta, other_ta)
        work = summary(reading, person(world.offering))
        reviewed(work, readers[0], *first, comment="First says.")
        reviewed(work, readers[1], *second, purpose="second", comment="Second says.")
        if not just_now:
            DoubleReading.objects.filter(submission=work).update(read_at=clock.now() - timedelta(hours=1))
        return DoubleReading.objects.get(submission=work)

    return read
