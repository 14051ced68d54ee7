"""The page of statistics: it says what the grades say, in pictures and in tables, and asks the same for any class."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gradebook.book.grades import grade_class
from gradebook.freezing.services import freeze
from gradebook.sources.collect import collect
from gradebook.statistics.selectors import statistics_page
from tests.factories import person
from tests.platform.gradebook.classes import decide, random_scores, small_class

pytestmark = pytest.mark.django_db


@pytest.fixture
def klass(world):
    offering, students = small_class(12, world.offering)
    random_scores(offering, students, 5)
    return world


def test_the_numbers_are_those_of_the_grades(klass):
    page = statistics_page(klass.ta)
    grades = grade_class(collect(klass.offering)).students
    final = next(row for row in page.scores if row.key == "score-final")
    assert sorted(final.values) == sorted(row.final.score for row in grades.values() if row.final.score is not None)
    assert sum(row.final for row in page.letters) == sum(row.letter is not None for row in grades.values())
    assert sum(page.won.values()) == sum(row.letter is not None for row in grades.values())
    for row in page.rows:
        assert row.figures.count + row.missing + row.excused + row.waiting == page.students, row.title


def test_how_students_without_a_score_stand_is_counted(world):
    offering, (one, two, _three) = small_class(3, world.offering)
    lab = offering.assignments.get(slug="tiny")
    decide(one, lab, "5", "20")
    decide(two, lab, None)
    found = next(row for row in statistics_page(world.ta).rows if row.key == "lab-tiny")
    assert (found.values, found.missing, found.excused, found.waiting) == ((Fraction(10, 4),), 0, 1, 3)
    assert found.most == Fraction(Decimal(10))


def test_a_chart_has_a_title_words_and_a_table(klass, browser):
    page = browser(klass.ta).get(reverse("statistics", args=[klass.offering.slug])).content.decode()
    charts = re.findall(r"<svg[^>]*role=\"img\"[^>]*aria-labelledby=\"(\S+) (\S+)\"", page)
    assert len(charts) >= 6
    for title, text in charts:
        assert page.count(f'<title id="{title}">') == page.count(f'<desc id="{text}">') == 1
    assert page.count("As a table") == len(charts)
    assert "style=" not in page


def test_while_frozen_it_speaks_of_the_frozen_grades(klass):
    before = statistics_page(klass.ta)
    freeze(offering=klass.offering, by=klass.instructor.user, note="the grades are final")
    for student in klass.offering.enrollments.filter(role="student"):
        decide(student, klass.offering.components.get(kind="midterm"), None)
    after = statistics_page(klass.ta)
    assert after.frozen_at is not None
    assert [row.figures for row in after.rows] == [row.figures for row in before.rows]


def test_an_empty_class_has_a_page(world, browser):
    for student in (world.student, world.classmate):
        student.role = "ta"
        student.save()
    page = browser(world.ta).get(reverse("statistics", args=[world.offering.slug]))
    assert "No students yet" in page.content.decode()


def test_the_page_asks_the_same_for_any_class(klass, browser):
    client = browser(klass.ta)

    def asked():
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("statistics", args=[klass.offering.slug])).status_code == 200
        return len(queries)

    asked()
    few = asked()
    random_scores(klass.offering, [person(klass.offering) for _ in range(30)], 6)
    assert asked() == few
