"""How a summary stands, in one chip: on the first page and on the reading list."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config import clock
from readings.summaries.states import summary_states
from submissions.drafts import save_draft
from tests.factories import ExtensionFactory, ReadingFactory, reviewed, summary

pytestmark = pytest.mark.django_db


@pytest.fixture
def chip(world, reading):
    def of(who=None) -> tuple[str, str]:
        state = summary_states(who or world.student, clock.now())[reading.pk]
        return state.chip.kind, state.chip.label

    return of


def test_from_not_started_to_released(world, reading, chip, at):
    said = [chip()]
    save_draft(
        assignment=reading, enrollment=world.student, sources={"problem": "a", "ideas": "b", "impact": " "}, revision=0
    )
    said.append(chip())
    made = summary(reading, world.student)
    said.append(chip())
    at(reading.due_at + timedelta(days=1))
    said.append(chip())
    reviewed(made, world.ta, 2, 2, 2, 1, 1, 1)
    said.append(chip())
    reading.released_at = clock.now()
    reading.save()
    said.append(chip())
    assert said == [
        ("muted", "Not started"),
        ("warn", "Draft, 2 of 6"),
        ("pass", f"Handed in #{made.pk}"),
        ("pass", f"Handed in #{made.pk}"),
        ("warn", "Graded, not released"),
        ("pass", "9 of 12"),
    ]


def test_past_without_work(world, reading, chip, at):
    at(reading.due_at + timedelta(seconds=1))
    assert chip() == ("fail", "Not handed in")
    ExtensionFactory(assignment=reading, enrollment=world.classmate)
    assert chip(world.classmate) == ("muted", "Not started")


def test_released_and_not_graded_is_said(world, reading, chip):
    summary(reading, world.student)
    reading.released_at = clock.now()
    reading.save()
    assert chip() == ("warn", "Not graded yet")


def test_a_score_is_not_there_before_its_release(world, reading):
    reviewed(summary(reading, world.student), world.ta)
    assert summary_states(world.student, clock.now())[reading.pk].score is None


def test_a_draft_of_empty_texts_is_not_begun(world, reading, chip):
    save_draft(assignment=reading, enrollment=world.student, sources={"problem": " "}, revision=0)
    assert chip() == ("muted", "Not started")


def test_not_open_has_no_address(world, reading, at):
    at(reading.opens_at - timedelta(days=1))
    state = summary_states(world.student, clock.now())[reading.pk]
    assert (state.url, state.chip.label[:5]) == (None, "Opens")


def test_hidden_ones_are_not_among_them(world, listed):
    listed.hidden = True
    listed.save()
    assert summary_states(world.student, clock.now()) == {}


def test_ten_readings_cost_as_many_queries_as_one(world, reading):
    def count() -> int:
        with CaptureQueriesContext(connection) as asked:
            summary_states(world.student, clock.now())
        return len(asked)

    reviewed(summary(reading, world.student), world.ta)
    before = count()
    for _ in range(9):
        more = ReadingFactory(assignment__offering=world.offering).assignment
        reviewed(summary(more, world.student), world.ta)
    assert count() == before <= 13


def test_the_first_page_names_it_until_it_is_handed_in(world, reading, browser):
    world.lab.delete()
    client, home = browser(world.student), reverse("dashboard", args=[world.offering.slug])
    address = reverse("reading", args=[world.offering.slug, reading.slug])
    page = client.get(home).content.decode()
    assert "Open the reading" in page
    assert f'href="{address}"' in page
    assert "Not started" in page
    summary(reading, world.student)
    page = client.get(home).content.decode()
    assert "Nothing is due that you have not handed in" in page
    assert "Handed in #" in page
