"""Frozen grades in the shape of live ones: the same numbers and ranks, whoever came, left or was graded since."""

from __future__ import annotations

import pytest
from django.urls import reverse

from assignments.models import Assignment
from config import clock
from gradebook.book.grades import grade_class
from gradebook.freezing.books import frozen_book
from gradebook.freezing.selectors import final_of
from gradebook.freezing.services import freeze
from gradebook.numbers import plain
from tests.factories import AssignmentFactory, person
from tests.platform.gradebook.classes import decide, random_scores, small_class

pytestmark = pytest.mark.django_db


@pytest.fixture
def klass(world):
    offering, students = small_class(12, world.offering)
    random_scores(offering, [world.student, world.classmate, *students], 7)
    freeze(offering=offering, by=world.instructor.user, note="final in spite of that")
    return world


def test_without_a_freeze_there_is_none(world):
    assert frozen_book(world.offering) is None


def test_the_grades_stay_whatever_happens(klass):
    offering = klass.offering
    frozen = final_of(offering).content
    newcomer = person(offering)
    klass.classmate.dropped_at = clock.now()
    klass.classmate.save()
    AssignmentFactory(offering=offering, slug="new", number=9)
    decide(klass.student, offering.components.get(kind="midterm"), None)
    Assignment.objects.filter(offering=offering).update(title="Renamed")
    book = frozen_book(offering)
    grades = grade_class(book)
    for pk, student in frozen.students.items():
        found = grades.students[pk]
        assert (found.final.score, found.so_far.score, found.letter) == (student.final, student.so_far, student.letter)
    listed = {student.pk for student in book.students}
    assert newcomer.pk not in listed
    assert klass.classmate.pk not in listed
    assert set(book.works) <= {part.key for part in book.parts}
    for pk in listed:
        for part in book.parts:
            assert part.key in book.scores[pk]
            assert not book.origins[pk, part.key].pending


def test_the_pages_of_grades_show_the_frozen_ones(klass, browser):
    offering, slug = klass.offering, klass.offering.slug
    student = browser(klass.student).get(reverse("grades", args=[slug]))
    staff = browser(klass.ta).get(reverse("scores", args=[slug]))
    assert "Final since" in student.content.decode()
    assert "Grades are final since" in staff.content.decode()
    kept = final_of(offering).content.students[klass.student.pk]
    assert student.context["page"].letter.letter == kept.letter.letter
    for part in offering.components.filter(kind__in=("participation", "presentation")):
        klass.student.grade_decisions.filter(component=part).delete()
        decide(klass.student, part, "1")
    again = browser(klass.student).get(reverse("grades", args=[slug])).context["page"]
    assert (again.final, again.so_far) == (kept.final, kept.so_far)
    row = next(
        row for row in browser(klass.ta).get(reverse("scores", args=[slug])).context["page"].rows if "Ada" in row.name
    )
    assert row.cells[2].text == plain(kept.final)


def test_who_came_after_the_freeze_sees_what_stands_now(klass, browser):
    newcomer = person(klass.offering)
    page = browser(newcomer).get(reverse("grades", args=[klass.offering.slug]))
    assert page.context["page"].student == newcomer
    assert page.context["page"].so_far is None
