"""A page asks the database as often for fifty students as for five: every page of the access matrix, for everyone who may open it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, reset_queries
from django.test.utils import CaptureQueriesContext

from config import clock
from reviews.services import override
from submissions.drafts import save_draft
from tests.factories import ExtensionFactory, ReadingFactory, person, reported, submit
from tests.platform.web.matrix.test_access import MATRIX, knock

pytestmark = pytest.mark.django_db
VIEWERS = ("student", "ta", "instructor")
# a stream has no length; signing in and the probe know no course; a platform's message is not in the matrix
PAGES = sorted(
    name
    for name, row in MATRIX.items()
    if row.method == "get"
    and row.found in {200, 302}
    and name not in {"job-events", "sign-in", "health", "submission-file", "lab-starter", "metrics"}
)


def work_of(world, enrollment, number: int) -> None:
    """What a student leaves behind: a draft, attempts in several states, and for some an override or an extension."""
    save_draft(assignment=world.lab, enrollment=enrollment, sources={"a": str(number)}, revision=0)
    first = reported(submit(world.lab, enrollment, client_token=f"{number}-1"), first=float(number % 7))
    if number % 2:
        item = world.lab.rubric.items.first()
        override(submission=first, item=item, score=item.points, reason="by hand", by=world.ta.user)
        ExtensionFactory(assignment=world.lab, enrollment=enrollment)
    submit(world.lab, enrollment, client_token=f"{number}-2")


def counts(world, things, browser, pages=PAGES) -> dict[tuple[str, str], int]:
    """Queries of each page for each viewer."""
    found = {}
    for viewer in VIEWERS:
        client = browser(getattr(world, viewer))
        for name in pages:
            if viewer in MATRIX[name].allowed:
                reset_queries()  # the log holds 9,000
                with CaptureQueriesContext(connection) as asked:
                    response = knock(client, MATRIX[name], name, things)
                assert response.status_code in {200, 302}, name
                found[name, viewer] = len(asked)
    return found


@pytest.fixture
def grown(world, things, browser, at) -> Callable[..., list[tuple]]:
    """Pages that ask more often after `more(number)` was called for 45 numbers than after it was called for five.

    The clock stands: on a slow machine a worker would fall silent in between, and its pages would ask for less.
    """
    at(clock.now())

    def compare(more: Callable[[int], None]) -> list[tuple]:
        for number in range(5):
            more(number)
        few = counts(world, things, browser)
        for number in range(5, 50):
            more(number)
        many = counts(world, things, browser)
        assert {viewer for _, viewer in few} == set(VIEWERS)
        return [(page, few[page], many[page]) for page in few if few[page] != many[page]]

    return compare


def test_fifty_students_cost_no_more_queries_than_five(world, grown):
    assert grown(lambda number: work_of(world, person(world.offering), number)) == []


def test_fifty_attempts_cost_no_more_queries_than_five(world, grown, settings):
    settings.GRADING_MAX_WAITING = 100

    def again(number: int) -> None:
        made = submit(world.lab, world.student, client_token=f"again-{number}")
        if number % 2:
            reported(made)

    for _ in range(5):  # from the fifth run on, a wait is told, which takes a query of its own
        reported(submit(world.lab, world.classmate))
    assert grown(again) == []


def test_fifty_readings_cost_no_more_queries_than_five(world, grown):
    def reading(number: int) -> None:
        due = clock.now() + timedelta(days=number)
        ReadingFactory(assignment__offering=world.offering, assignment__number=number + 1, assignment__due_at=due)

    assert grown(reading) == []


def test_a_page_that_asks_once_a_student_would_be_found(world, things, browser, monkeypatch):
    """The measure itself: a query a row is what these tests are there to see."""
    from courses import selectors

    plain = selectors._row

    def careless(row):
        row.user.refresh_from_db()
        return plain(row)

    before = counts(world, things, browser, ["people"])["people", "ta"]
    monkeypatch.setattr(selectors, "_row", careless)
    people = world.offering.enrollments.count()
    assert counts(world, things, browser, ["people"])["people", "ta"] == before + people
