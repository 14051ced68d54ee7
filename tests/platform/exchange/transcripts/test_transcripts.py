"""Transcripts: everything that counts, on one page; for staff always, for the student once letters are theirs to see."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from config import clock
from exchange.numbers import numbers_of, rounded
from exchange.transcripts.selectors import transcript_page
from gradebook.decisions.services import decide
from gradebook.freezing.services import freeze, lift
from gradebook.models import GradePolicy
from gradebook.presets import weights
from gradebook.services import create_scheme
from reviews.releases.services import release
from tests.factories import AssignmentFactory, ReadingFactory, person, reported, reviewed, submit, summary

pytestmark = pytest.mark.django_db


@pytest.fixture
def graded(world):
    create_scheme(offering=world.offering, weights=weights("A"))
    reported(submit(world.lab, world.student), first=4.0, second=2.5)
    return world


def own(world, browser, who):
    return browser(who).get(f"/o/{world.offering.slug}/transcript/")


def show_letters(world) -> None:
    GradePolicy.objects.update_or_create(offering=world.offering, defaults={"show_letters": True})


def test_it_has_every_component_and_part_and_adds_up(graded):
    page = transcript_page(graded.student, own=False)
    assert [row.name for row in page.components] == [row.name for row in graded.offering.components.all()]
    labs = next(row for row in page.components if row.name == "Lab assignments")
    assert (labs.percent, labs.weight) == (Decimal("65.00"), Decimal("21.00"))
    (lab,) = labs.parts
    assert (lab.title, lab.points, lab.max_points, lab.state) == (graded.lab.label, Decimal("6.5"), 10, "Graded")
    assert page.score == sum(row.adds for row in page.components if row.adds is not None) == Decimal("65.00")
    assert page.letter.letter == "C+"


def test_excused_and_missing_work_says_so(graded, at):
    excused = AssignmentFactory(offering=graded.offering, slug="two", number=2)
    decide(student=graded.student, part=excused, points=None, reason="was ill", by=graded.ta.user)
    labs = next(row for row in transcript_page(graded.student, own=False).components if row.name == "Lab assignments")
    assert [(row.state, row.adds) for row in labs.parts][1] == ("Excused", None)


def test_staff_open_anybodys_and_students_none(graded, browser):
    url = f"/o/{graded.offering.slug}/exchange/transcripts/{graded.student.pk}/"
    assert "Ada Lindqvist" in browser(graded.ta).get(url).content.decode()
    assert browser(graded.student).get(url).status_code == 404
    other = f"/o/{graded.offering.slug}/exchange/transcripts/{graded.other_student.pk}/"
    assert browser(graded.instructor).get(other).status_code == 404
    staff = f"/o/{graded.offering.slug}/exchange/transcripts/{graded.ta.pk}/"
    assert browser(graded.instructor).get(staff).status_code == 404


def test_students_have_theirs_once_letters_are_shown(graded, browser):
    assert own(graded, browser, graded.student).status_code == 404
    show_letters(graded)
    answer = own(graded, browser, graded.student)
    assert answer.status_code == 200
    assert "Not final" in answer.content.decode()
    assert own(graded, browser, graded.ta).status_code == 404


def test_a_student_reads_nothing_that_is_not_released(graded, browser):
    show_letters(graded)
    reading = ReadingFactory(assignment__offering=graded.offering).assignment
    reviewed(summary(reading, graded.student), graded.ta)

    def reading_line(page):
        component = next(row for row in page.components if row.name == "Reading summaries")
        return component.parts[0].points

    assert reading_line(transcript_page(graded.student, own=False)) == 12
    assert reading_line(own(graded, browser, graded.student).context["page"]) is None
    release(assignment=reading, by=graded.instructor.user)
    assert reading_line(own(graded, browser, graded.student).context["page"]) == 12


def test_a_student_who_dropped_has_scores_and_no_letter(graded):
    reported(submit(graded.lab, graded.dropped))
    page = transcript_page(graded.dropped, own=False)
    assert (page.score, page.letter) == (Decimal("100.00"), None)


def test_both_columns_of_the_letter_stand_on_the_page(graded, browser):
    for _ in range(12):
        reported(submit(graded.lab, person(graded.offering)), first=1.0)
    page = transcript_page(graded.student, own=False)
    assert page.letter.relative is not None
    text = (
        browser(graded.ta).get(f"/o/{graded.offering.slug}/exchange/transcripts/{graded.student.pk}/").content.decode()
    )
    assert f"<dd>{page.letter.absolute}: " in text
    assert f"<dd>{page.letter.relative}: {page.letter.above} of {page.letter.size} students" in text


def test_final_grades_come_from_the_snapshot_whatever_happens_afterwards(graded, browser):
    before = transcript_page(graded.student, own=False)
    snapshot = freeze(offering=graded.offering, by=graded.instructor.user, note="final in spite of what is open")
    decide(student=graded.student, part=graded.lab, points=(Decimal(1), Decimal(10)), reason="late", by=graded.ta.user)
    answer = own(graded, browser, graded.student)
    page = answer.context["page"]
    labs, was = (next(row for row in each.components if row.name == "Lab assignments") for each in (page, before))
    assert labs.parts[0].points == was.parts[0].points == Decimal("6.50")
    assert (page.score, page.letter) == (
        numbers_of(graded.offering).grades[graded.student.pk].final.score,
        numbers_of(graded.offering).grades[graded.student.pk].letter,
    )
    assert snapshot.sha256 in answer.content.decode()
    assert "Not final" not in answer.content.decode()
    graded.student.dropped_at = clock.now()
    graded.student.save()
    assert transcript_page(graded.student, own=False).seal.sha256 == snapshot.sha256
    lift(snapshot=snapshot, by=graded.instructor.user, reason="one more look")
    assert own(graded, browser, graded.classmate).status_code == 404


def test_the_list_finds_students_and_shows_who_dropped(graded, browser):
    url = f"/o/{graded.offering.slug}/exchange/transcripts/"
    page = browser(graded.ta).get(url).context["page"]
    assert [row.pk for row in page.students][-1] == graded.dropped.pk
    found = browser(graded.ta).get(url, {"q": "lindqvist"}).context["page"]
    assert [row.user.name for row in found.students] == ["Ada Lindqvist"]


def test_hundredths_are_rounded_half_up():
    assert rounded(Fraction(1, 8)) == Decimal("0.13")
    assert rounded(Fraction(2, 3)) == Decimal("0.67")
    assert rounded(None) is None


def test_a_transcript_costs_no_more_queries_for_more_students(graded, browser, django_assert_max_num_queries):
    for _ in range(30):
        reported(submit(graded.lab, person(graded.offering)))
    with django_assert_max_num_queries(30):
        numbers_of(graded.offering)


def test_who_came_after_the_freeze_reads_nothing_that_is_not_released(graded, browser):
    freeze(offering=graded.offering, by=graded.instructor.user, note="final in spite of what is open")
    newcomer = person(graded.offering)
    reading = ReadingFactory(assignment__offering=graded.offering).assignment
    reviewed(summary(reading, newcomer), graded.ta)

    def reading_points(page):
        component = next(row for row in page.components if row.name == "Reading summaries")
        return component.parts[0].points

    assert reading_points(transcript_page(newcomer, own=False)) == 12
    assert reading_points(own(graded, browser, newcomer).context["page"]) is None
    release(assignment=reading, by=graded.instructor.user)
    assert reading_points(own(graded, browser, newcomer).context["page"]) == 12


def test_a_score_below_a_cutoff_never_looks_as_if_it_had_reached_it(graded, browser):
    points = (Decimal("899.96"), Decimal(1000))
    decide(student=graded.student, part=graded.lab, points=points, reason="by hand", by=graded.ta.user)
    client = browser(graded.ta)
    text = client.get(f"/o/{graded.offering.slug}/exchange/transcripts/{graded.student.pk}/").content.decode()
    assert "A-: the score of " in text
    assert "89.996" in text
    assert "90 %" not in text
    table = client.get(f"/o/{graded.offering.slug}/exchange/grades.csv").content.decode()
    assert ",89.996," in table
    assert ",90," not in table


def test_what_is_rounded_says_so_where_the_lines_would_not_add_up(graded, browser):
    for number in (2, 3):
        lab = AssignmentFactory(offering=graded.offering, slug=f"lab{number}", number=number)
        decide(student=graded.student, part=lab, points=(Decimal(1), Decimal(3)), reason="by hand", by=graded.ta.user)
    decide(
        student=graded.student, part=graded.lab, points=(Decimal(1), Decimal(3)), reason="by hand", by=graded.ta.user
    )
    page = transcript_page(graded.student, own=False)
    (labs,) = (row for row in page.components if row.parts and row.percent is not None)
    # 11.11 three times are 33.33 and not a third of a hundred; as exact numbers they are
    assert sum(row.adds for row in labs.parts) == labs.adds == page.score == Fraction(100, 3)
    text = browser(graded.ta).get(f"/o/{graded.offering.slug}/exchange/transcripts/{graded.student.pk}/")
    assert text.content.decode().count("≈11.11") == 3
