"""A reading whose due moment has passed, and a second TA."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config import clock
from courses.models import Role
from reviews.queue import rows, standings
from tests.factories import ReadingFactory, person, summary


@pytest.fixture(autouse=True)
def _no_second_readings(monkeypatch):
    """Nothing is chosen for a second reading unless a test chooses."""
    for module in (rows, standings):
        monkeypatch.setattr(module, "is_chosen", lambda *_: False)


@pytest.fixture
def all_chosen(monkeypatch):
    """Everything is read twice."""
    for module in (rows, standings):
        monkeypatch.setattr(module, "is_chosen", lambda *_: True)


@pytest.fixture
def reading(world):
    yesterday = clock.now() - timedelta(days=1)
    return ReadingFactory(
        assignment__offering=world.offering, assignment__slug="r1", assignment__due_at=yesterday
    ).assignment


@pytest.fixture
def other_ta(world):
    return person(world.offering, Role.TA, name="Tomas Brandt")


@pytest.fixture
def hand_ins(world, reading):
    """`hand_ins(5)`: five more students hand in a summary."""
    return lambda count: [summary(reading, person(world.offering)) for _ in range(count)]
