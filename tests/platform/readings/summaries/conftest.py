"""A reading that is due in a week, and its pages."""

from __future__ import annotations

import pytest
from django.urls import reverse

from readings.models import Reading
from tests.factories import ReadingFactory

ITEMS = ("problem", "impact", "ideas", "technique", "assessment", "improvement")


@pytest.fixture
def listed(world) -> Reading:
    """It stands on the list."""
    return ReadingFactory(assignment__offering=world.offering, assignment__slug="reading-1")


@pytest.fixture
def reading(listed):
    """Its assignment."""
    return listed.assignment


@pytest.fixture
def url(world, reading):
    """`url("reading-submit")`: an address of the reading."""
    return lambda name, *more: reverse(name, args=[world.offering.slug, reading.slug, *more])


@pytest.fixture
def fields():
    """`fields(problem="…", revision=1)`: a post with these texts; of the other items empty ones."""

    def post(revision: int = 0, token: str = "", **texts: str) -> dict[str, str]:
        cells = {f"cell-{name}": texts.get(name, "") for name in ITEMS}
        return {**cells, "revision": str(revision), "client_token": token}

    return post


@pytest.fixture
def whole(fields):
    """A post with a sentence an item."""
    return fields(**{name: f"About the {name}." for name in ITEMS})
