"""A writer of texts, and a reading to hand them in for."""

from __future__ import annotations

import pytest

from tests.factories import ReadingFactory
from tests.platform.reviews.similar.writing import Writer


@pytest.fixture
def writer() -> Writer:
    return Writer(7)


@pytest.fixture
def reading(world):
    return ReadingFactory(assignment__offering=world.offering).assignment
