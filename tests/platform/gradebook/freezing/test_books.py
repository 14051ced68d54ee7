"""Frozen grades in the shape of live ones: the same numbers and ranks, whoever came, left or was graded since."""

from __future__ import annotations

from fractions import Fraction

import pytest
from django.urls import reverse

from assignments.models import Assignment
from config import clock
from gradebook.book.grades import grade_class
from gradebook.decisions.services import withdraw
from gradebook.freezing.books import frozen_book
from gradebook.freezing.selectors import final_of
from gradebook.freezing.services import freeze
from gradebook.numbers import plain
from reviews.releases.services import release, retract
from tests.factories import AssignmentFactory, person, reported, reviewed, submit, summary
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


def part_of(klass, browser, who, key="lab:tiny"):
    name, at = ("grades-part", ()) if who.is_student else ("student-part", (klass.student.pk,))
    return browser(who).get(reverse(name, args=[klass.offering.slug, *at, key])).context["page"]


def test_a_frozen_number_is_explained_by_what_made_it_and_not_by_what_was_decided_since(world, browser):
    small_class(1, world.offering)
    reported(submit(world.lab, world.student), first=4.0, second=2.5)
    freeze(offering=world.offering, by=world.instructor.user, note="final in spite of that")
    decide(world.student, world.lab, "1", "10")
    for who in (world.student, world.ta):
        page = part_of(world, browser, who)
        assert (page.part.score.points, page.part.chip.label) == (Fraction("6.5"), "Released")
        assert page.decision is None
        assert page.part.why == ""
        assert page.frozen_at is not None
    # staff see, and can withdraw, what counts once the freeze is lifted
    later = part_of(world, browser, world.ta).standing
    assert (later.points, part_of(world, browser, world.student).standing) == (1, None)
    text = browser(world.ta).get(reverse("student-part", args=[world.offering.slug, world.student.pk, "lab:tiny"]))
    assert "Decided since the freeze: 1 of 10" in text.content.decode()
    assert reverse("decision-withdraw", args=[world.offering.slug, world.student.pk, later.pk]) in text.content.decode()


def test_a_decision_that_made_a_frozen_number_stays_with_it(world, browser):
    small_class(1, world.offering)
    made = decide(world.student, world.lab, "9", "10")
    freeze(offering=world.offering, by=world.instructor.user, note="final in spite of that")
    withdraw(decision=made, by=world.ta.user)
    page = part_of(world, browser, world.student)
    assert (page.decision, page.part.score.points) == (made, 9)
    assert (page.part.chip.label, page.part.why) == ("Set by staff", made.reason)
    assert part_of(world, browser, world.ta).standing is None


def test_the_attempt_that_a_frozen_number_came_from_is_the_one_that_counted_then(world):
    small_class(1, world.offering)
    first = reported(submit(world.lab, world.student), first=4.0)
    freeze(offering=world.offering, by=world.instructor.user, note="final in spite of that")
    reported(submit(world.lab, world.student), first=6.0)
    origin = frozen_book(world.offering).origins[world.student.pk, "lab:tiny"]
    assert (origin.submission_pk, origin.attempt, origin.attempts) == (first.pk, first.number, 2)


def test_a_release_that_is_taken_back_since_takes_no_frozen_number_back(world, browser, settings):
    settings.RELEASE_UNDO_S = 0
    small_class(1, world.offering)
    reading = world.offering.assignments.get(slug="paper")
    reviewed(summary(reading, world.student), world.ta)
    made = release(assignment=reading, by=world.instructor.user)
    freeze(offering=world.offering, by=world.instructor.user, note="final in spite of that")
    retract(release=made, reason="The key was wrong.", by=world.instructor.user)
    page = part_of(world, browser, world.student, "reading:paper")
    assert (page.part.score.points, page.part.chip.label, page.part.why) == (12, "Released", "")
    assert page.hand.taken_back.retract_reason == "The key was wrong."
