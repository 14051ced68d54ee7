"""A reading of two students, graded by a teaching assistant, and a third who handed nothing in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from assignments.models import Assignment
from submissions.models import Submission
from tests.factories import ReadingFactory, person, reviewed, summary


@dataclass(frozen=True)
class Graded:
    """Ada has 10 of 12, Kofi 6; Zoe has nothing."""

    reading: Assignment
    ada: Submission
    kofi: Submission
    zoe: Any


@pytest.fixture
def graded(world) -> Graded:
    reading = ReadingFactory(assignment__offering=world.offering).assignment
    ada, kofi = summary(reading, world.student), summary(reading, world.classmate)
    reviewed(ada, world.ta, 2, 2, 2, 2, 1, 1, comment="Well argued.")
    reviewed(kofi, world.ta, 1, 1, 1, 1, 1, 1)
    return Graded(reading, ada, kofi, person(world.offering, name="Zoe Last"))
