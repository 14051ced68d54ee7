"""The reading list: order, due dates, links, what the instructor hid."""

from __future__ import annotations

from datetime import timedelta

import pytest

from readings.models import Paper
from readings.selectors import readings_page
from tests.factories import ExtensionFactory, ReadingFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def readings(world):
    return [
        ReadingFactory(position=n, assignment__offering=world.offering, assignment__number=n, hidden=n == 3)
        for n in (2, 1, 3)
    ]


def test_papers_stand_in_their_order_and_hidden_ones_are_for_staff(world, readings):
    assert [row.number for row in readings_page(world.student).rows] == [1, 2]
    assert [row.number for row in readings_page(world.ta).rows] == [1, 2, 3]


def test_the_next_one_is_named(world, readings, at):
    first = readings[1].assignment
    first.due_at = first.opens_at + timedelta(minutes=1)
    first.save()
    page = readings_page(world.student)
    assert page.next_number == 2
    assert [row.state.label for row in page.rows] == ["Not handed in", "Not started"]
    assert [row.state.label for row in readings_page(world.ta).rows] == ["Past", "Due this week", "Due this week"]


def test_an_extension_moves_a_readings_date(world, readings):
    extension = ExtensionFactory(assignment=readings[0].assignment, enrollment=world.student)
    assert readings_page(world.student).rows[1].due_at == extension.due_at
    assert readings_page(world.classmate).rows[1].due_at == readings[0].assignment.due_at


@pytest.mark.parametrize(
    ("facts", "link"),
    [
        ({"arxiv_id": "2205.14135", "doi": "10.1/x"}, "https://arxiv.org/abs/2205.14135"),
        ({"doi": "10.1145/1"}, "https://doi.org/10.1145/1"),
        ({"url": "https://example.org/p"}, "https://example.org/p"),
        ({}, ""),
    ],
)
def test_a_paper_links_to_the_best_address_it_has(facts, link):
    assert Paper(title="x", **facts).link == link
