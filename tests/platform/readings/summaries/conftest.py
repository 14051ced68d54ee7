"""A reading that is due in a week, and its pages."""

from __future__ import annotations

import pytest
from django.urls import reverse

from readings.models import Reading
from tests.factories import ReadingFactory


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
def post(world, url, browser):
    """Post to the reading as its student, or as `who`; returns the answer and its text."""

    def send(data, name: str = "reading-submit", *, who=None, **more):
        response = browser(who or world.student).post(url(name), data, **more)
        return response, response.content.decode()

    return send


@pytest.fixture
def get(world, url, browser):
    """A page of the reading, as text: as its student sees it, or `who`."""

    def page(name: str = "reading", *, who=None, **query: object) -> str:
        response = browser(who or world.student).get(url(name), query)
        assert response.status_code == 200
        return response.content.decode()

    return page


@pytest.fixture
def save(post):
    """Save a draft; returns the answer. With `json`, as the script of the page does."""
    return lambda data, *, who=None, json=False: post(
        data, "reading-draft", who=who, headers={"Accept": "application/json" if json else "text/html"}
    )[0]
