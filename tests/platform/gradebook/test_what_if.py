"""What if: typed scores go through the same arithmetic, nothing is stored, and nothing of others is told."""

from __future__ import annotations

from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gradebook.access import GradeAccess
from gradebook.models import GradePolicy
from gradebook.presets import weights
from gradebook.services import create_scheme
from gradebook.what_if import what_if_page
from tests.factories import ReadingFactory, person, reported, reviewed, submit, summary

pytestmark = pytest.mark.django_db


@pytest.fixture
def reading(world):
    create_scheme(offering=world.offering, weights=weights("A"))
    return ReadingFactory(assignment__offering=world.offering, assignment__number=1, assignment__slug="one").assignment


def own(world, **typed):
    return what_if_page(
        GradeAccess(world.student, world.student), {key.replace("_", ":"): text for key, text in typed.items()}
    )


def test_a_student_tries_what_is_not_known(world, reading):
    reported(submit(world.lab, world.student), 6.0, 1.0)
    page = own(world, reading_one="9", participation="80")
    assert page.before.so_far == 70
    # by hand: labs 21 at 70 %, readings 20 at 75 %, participation 20 at 80 %, and the talk's 14 are zero in the end
    assert page.after.so_far == Fraction(21 * 70 + 20 * 75 + 20 * 80, 61)
    assert page.after.final == Fraction(21 * 70 + 20 * 75 + 20 * 80, 75)
    assert (page.before.letter, page.after.letter, page.has_letters) == (None, None, False)


def test_what_is_known_stays(world, reading):
    reported(submit(world.lab, world.student), 6.0, 1.0)
    page = own(world, lab_tiny="10")
    field = next(field for field in page.fields if field.part.key == "lab:tiny")
    assert (field.open, field.now, page.after) == (False, "7 of 10", None)


def test_what_is_graded_and_not_released_is_not_known(world, reading):
    reviewed(summary(reading, world.student), world.ta, 0, 0, 0, 0, 0, 1)
    page = own(world, reading_one="12")
    assert page.before.so_far is None
    assert page.after.so_far == 100


@pytest.mark.parametrize(
    ("typed", "points", "error"),
    [
        ("9", Fraction(9), ""),
        ("8,5", Fraction(17, 2), ""),
        (" 0 ", Fraction(0), ""),
        ("12", Fraction(12), ""),
        ("12.01", None, "Please type 0 to 12 points."),
        ("999999", None, "Please type 0 to 12 points."),
        *(
            (text, None, "This is not a number")
            for text in ("-1", "x", "nan", "inf", "1e9999999", "1/2", "٣", "<b>", "1" * 50, "8.", "\x00")
        ),
    ],
)
def test_what_may_be_typed(world, reading, typed, points, error):
    field = next(field for field in own(world, reading_one=typed).fields if field.part.key == "reading:one")
    assert field.points == points
    assert field.error.startswith(error)
    assert bool(field.error) == bool(error)


def test_what_cannot_be_read_is_kept_told_and_left_out(world, reading, browser):
    url = reverse("grades-what-if", args=[world.offering.slug])
    page = browser(world.student).get(url, {"reading:one": "ten <b>", "participation": "50"}).content.decode()
    assert 'value="ten &lt;b&gt;"' in page
    assert "1 number could not be read and is left out" in page
    assert 'aria-invalid="true"' in page


def test_staff_try_any_part_of_any_student_with_letters(world, reading):
    reported(submit(world.lab, world.student), 6.0, 1.0)
    for _ in range(9):
        reported(submit(world.lab, person(world.offering)), 6.0, 2.0)
    page = what_if_page(GradeAccess(world.ta, world.student), {"lab:tiny": "9"})
    assert (page.before.letter_so_far.relative, page.after.letter_so_far.relative) == ("D", "A+")
    assert (page.before.so_far, page.after.so_far, page.students) == (70, 90, 11)
    assert page.after.letter_so_far.letter == "A+"


def test_students_see_letters_where_the_policy_shows_them(world, reading, browser):
    reported(submit(world.lab, world.student), 6.0, 1.0)
    url = reverse("grades-what-if", args=[world.offering.slug])
    client = browser(world.student)
    assert "Letters are not shown yet" in client.get(url, {"participation": "50"}).content.decode()
    GradePolicy.objects.create(offering=world.offering, show_letters=True)
    page = client.get(url, {"participation": "50"}).content.decode()
    assert "Letter so far" in page
    assert "class of 2 as it stands now" in page


def test_nothing_is_stored(world, reading, browser):
    url = reverse("grades-what-if", args=[world.offering.slug])
    client = browser(world.student)
    client.get(url)
    with CaptureQueriesContext(connection) as asked:
        client.get(url, {"participation": "50", "reading:one": "3"})
    assert not [query["sql"] for query in asked if not query["sql"].startswith("SELECT")]


def test_without_weights_there_is_nothing_to_try(world, browser):
    url = reverse("grades-what-if", args=[world.offering.slug])
    assert "There is nothing to try yet" in browser(world.student).get(url).content.decode()
