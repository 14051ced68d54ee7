"""Readings in the gradebook: the grid of staff with hand scores, its pages and its search, and the lists beside it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from gradebook.grid import scores_page
from gradebook.readings import class_totals, reading_grades
from reviews.marking.scores import hand_scores, latest_submissions
from reviews.marking.services import adjust
from reviews.releases.services import release
from tests.factories import ReadingFactory, person, reported, reviewed, submit, summary

pytestmark = pytest.mark.django_db


@pytest.fixture
def reading(world):
    return ReadingFactory(assignment__offering=world.offering, assignment__number=1).assignment


def test_the_grid_has_a_column_a_reading_with_scores_released_or_not(world, reading):
    reviewed(summary(reading, world.student), world.ta, 2, 2, 2, 2, 1, 1)
    summary(reading, world.classmate)
    page = scores_page(world.ta)
    assert [column.short for column in page.columns] == [world.lab.label, "Reading 1"]
    cells = {row.name: row.cells[1] for row in page.rows}
    assert (cells["Ada Lindqvist"].score, cells["Ada Lindqvist"].pending) == (10, True)
    assert (cells["Kofi Mensah"].score, cells["Kofi Mensah"].chip.label) == (None, "Handed in")
    release(assignment=reading, by=world.instructor.user, partial=True)
    assert not next(row.cells[1].pending for row in scores_page(world.ta).rows if row.name == "Ada Lindqvist")
    assert (page.columns[1].graded, page.columns[1].mean) == (1, 10)


def test_the_database_adds_up_as_the_scores_by_hand_do(world, reading):
    """Against the one place that says what a score by hand is, with fractions, adjustments and both ends of the range."""
    for scores, points in (
        ((1, 1, 1, 1, 1, 1), "0.1"),
        ((2, 2, 2, 2, 2, 2), "3"),
        ((0, 0, 0, 0, 0, 1), "-5"),
        ((2, 0, 1, 0, 2, 1), None),
    ):
        made = summary(reading, person(world.offering))
        reviewed(made, world.ta, *scores)
        for part in (points, "0.2") if points == "0.1" else (points,):
            if part:
                adjust(submission=made, points=Decimal(part), reason="because", by=world.ta.user)
    scores = hand_scores(latest_submissions(reading))
    wanted = {score.submission.enrollment_id: (score.total, score.points) for score in scores.values()}
    found = {student: (total.score, total.max_score) for (student, _), total in class_totals([reading]).items()}
    assert found == wanted
    assert len(wanted) == 4
    assert (Decimal("6.3"), Decimal(12)) in wanted.values()


def test_the_latest_summary_counts(world, reading):
    reviewed(summary(reading, world.student), world.ta)
    newer = summary(reading, world.student)
    cell = next(row.cells[1] for row in scores_page(world.ta).rows if row.name == "Ada Lindqvist")
    assert (cell.submission_pk, cell.score) == (newer.pk, None)
    assert [grade.chip.label for grade in reading_grades(world.student)] == ["Handed in"]


def test_a_hidden_reading_is_not_on_the_students_page(world, reading):
    reading.reading.hidden = True
    reading.reading.save()
    assert reading_grades(world.student) == ()


@pytest.fixture
def large(world, reading):
    for number in range(105):
        student = person(world.offering, name=f"Sample Student{number:03}")
        if number < 3:
            reviewed(summary(reading, student), world.ta)
            reported(submit(world.lab, student))


@pytest.mark.parametrize("name", ["scores", "people", "lab-submissions"])
def test_a_long_list_comes_in_pages_and_can_be_searched(world, large, browser, settings, name):
    settings.GRADING_MAX_WAITING = 200
    for number in range(100):
        submit(world.lab, world.student, client_token=f"again-{number}")
    args = [world.offering.slug, world.lab.slug] if name.startswith("lab-") else [world.offering.slug]
    client, url = browser(world.ta), reverse(name, args=args)
    first = client.get(url).content.decode()
    assert "1 to 100 of" in first
    assert "page=2" in first
    second = client.get(url, {"page": "2"}).content.decode()
    assert "1 to 100 of" not in second
    found = client.get(url, {"q": "student002"}).content.decode()
    assert "Student002" in found
    assert "Student001" not in found
    nothing = client.get(url, {"q": "nobody of that name"})
    assert nothing.status_code == 200
    assert "atches" in nothing.content.decode()


def test_the_heads_speak_of_the_whole_class_whatever_is_sought(world, large):
    page = scores_page(world.ta, q="student002")
    assert (len(page.rows), page.students, page.columns[1].graded) == (1, 107, 3)
