"""Every number opens to what it was made of: components, parts, attempts, checks, marks, overrides, decisions; nobody sees too much."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.urls import reverse

from config import clock
from gradebook.access import GradeAccess
from gradebook.book.letters import letters
from gradebook.decisions.services import decide, withdraw
from gradebook.derivation.figures import figure, plain
from gradebook.derivation.letters import letter_view, policy_in_words
from gradebook.derivation.pages import derivation_page
from gradebook.freezing.services import freeze, lift
from gradebook.models import Component, GradePolicy
from gradebook.presets import weights
from gradebook.services import create_scheme
from gradebook.sources.policies import policy_of
from reviews.marking.services import adjust
from reviews.releases.services import release, retract
from reviews.services import override
from tests.factories import (
    AssignmentFactory,
    ReadingFactory,
    SessionFactory,
    closed,
    opened,
    person,
    rated,
    recorded,
    reported,
    reviewed,
    staff_rated,
    submit,
    summary,
    talk,
    team,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def scheme(world):
    create_scheme(offering=world.offering, weights=weights("A"))


@pytest.fixture
def reading(world):
    return ReadingFactory(assignment__offering=world.offering, assignment__number=1, assignment__slug="one").assignment


def page_of(world, viewer=None, student=None, **how):
    return derivation_page(GradeAccess(viewer or world.ta, student or world.student), **how)


def component(page, name):
    return next(each for each in page.components if each.name.startswith(name))


@pytest.fixture
def see(world, browser):
    """`see("student-part", "lab:tiny")`: a page about Ada, for a TA or with `own` for herself."""

    def get(name, *more, own=False, htmx=False, **query):
        args = [world.offering.slug, *([] if own else [world.student.pk]), *more]
        headers = {"HX-Request": "true"} if htmx else {}
        client = browser(world.student if own else world.ta)
        response = client.get(reverse(name, args=args), query, headers=headers)
        assert response.status_code == 200
        return response.content.decode()

    return get


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(1, 2), "0.5"),
        (Fraction(1, 3), "≈0.33"),
        (Fraction(2, 3), "≈0.67"),
        (Fraction(1, 8), "≈0.13"),
        (Fraction(7250, 100), "72.5"),
        (Fraction(-5, 4), "−1.25"),
        (Fraction("89.996"), "≈89.996"),  # two decimals would read 90
        (Fraction("89.9999999"), "≈90"),
        (Fraction(100), "100"),
    ],
)
def test_numbers_say_when_they_are_rounded(value, text):
    assert figure(value) == text
    assert plain(value) == text.lstrip("≈")


def test_the_score_is_the_sum_of_what_is_shown(world, reading, scheme):
    reported(submit(world.lab, world.student), 6.0, 1.0)
    reviewed(summary(reading, world.student), world.ta, 2, 2, 2, 2, 1, 1)
    page = page_of(world)
    assert page.basis == "so-far"
    assert page.total == page.so_far == Fraction(21 * 70 + 20 * 100 * 10 / 12).limit_denominator() / 41
    assert sum(each.adds for each in page.components) == page.total
    assert page.formula == "≈35.85 + ≈40.65 = ≈76.5"
    labs = component(page, "Lab")
    assert labs.formula == (
        "Share: 7 ÷ 10 = 70 %.",
        "Weight: 21 of the 41 that count now, so 21 × 100 ÷ 41 = ≈51.22.",
        "≈51.22 × 70 % = ≈35.85 points of the score.",
    )
    final = page_of(world, basis="final")
    assert (final.basis, final.total) == ("final", final.final)
    assert sum(each.adds for each in final.components) == final.total


def test_several_parts_by_mean_and_by_points(world, scheme):
    other = AssignmentFactory(offering=world.offering, slug="second", number=2, points=Decimal(20))
    reported(submit(world.lab, world.student), 6.0, 1.0)
    reported(submit(other, world.student), 3.0, 1.0)
    formula = component(page_of(world), "Lab").formula
    assert formula[0] == "Share, the mean of 2 equal parts: (70 % + 40 %) ÷ 2 = 55 %."
    Component.objects.filter(kind="labs").update(by_points=True)
    assert component(page_of(world), "Lab").formula[0] == "Share, by points: (7 + 4) ÷ (10 + 10) = 55 %."
    Component.objects.filter(kind="labs").update(by_points=False, drop_lowest=1)
    labs = component(page_of(world), "Lab")
    assert labs.formula[0] == "Share: 7 ÷ 10 = 70 %."
    assert [(part.dropped, part.note) for part in labs.parts] == [
        (False, ""),
        (True, "dropped: the lowest do not count"),
    ]


def test_each_state_says_what_it_means(world, scheme):
    world.lab.due_at = clock.now() - timedelta(minutes=1)
    world.lab.save()
    later = AssignmentFactory(offering=world.offering, slug="later", number=2, opens_at=clock.now() + timedelta(days=2))
    AssignmentFactory(offering=world.offering, slug="open", number=3)
    handed = AssignmentFactory(offering=world.offering, slug="handed", number=4)
    excused = AssignmentFactory(offering=world.offering, slug="excused", number=5)
    submit(handed, world.student)
    decide(student=world.student, part=excused, points=None, reason="was ill", by=world.ta.user)
    so_far, final = (component(page_of(world, basis=basis), "Lab").parts for basis in ("so-far", "final"))
    assert [part.chip.label for part in so_far] == [
        "Missing",
        f"Opens {later.opens_at.astimezone(world.offering.zone):%-d %b}",
        "Nothing handed in",
        "Waiting",
        "Excused",
    ]
    assert [part.note.split(":")[0] for part in so_far] == [
        "nothing handed in in time",
        *["not known yet"] * 3,
        "excused",
    ]
    assert [part.counts for part in so_far] == [True, False, False, False, False]
    assert [part.counts for part in final] == [True, True, True, True, False]


def test_a_part_opens_down_to_the_check_the_override_and_the_run(world, see):
    first = reported(submit(world.lab, world.student), 3.0, 0.0)
    second = reported(submit(world.lab, world.student), 6.0, 1.0)
    item = world.lab.rubric.items.get(task_id="2")
    override(submission=second, item=item, score=Decimal("3.5"), reason="Nearly right.", by=world.ta.user)
    page = see("student-part", f"lab:{world.lab.slug}")
    assert page.index(f'href="/submissions/{first.pk}/"') < page.index('<span class="tag tag-accent">counts</span>')
    for words in ("adds two arrays", "scales", "Nearly right.", "Priya Raman set", "in place of 1", "set by staff"):
        assert words in page
    assert "9.5</strong>" in page
    run = second.jobs.get()
    assert f"Run {run.pk}," in page
    assert f"version {world.lab.lab.version[:8]} of the lab, seed 1." in page


def test_htmx_gets_the_body_alone_and_everyone_else_a_page(world, see):
    reported(submit(world.lab, world.student))
    key = f"lab:{world.lab.slug}"
    assert "<html" not in see("student-part", key, htmx=True)
    assert "<html" in see("student-part", key)
    whole = see("student-grade")
    assert f'hx-get="/o/{world.offering.slug}/scores/{world.student.pk}/part/{key}/"' in whole
    assert f'<a href="/o/{world.offering.slug}/scores/{world.student.pk}/part/{key}/"' in whole


def test_the_student_reads_what_is_released_and_nothing_else(world, see, reading):
    submission = reported(submit(world.lab, world.student), 6.0, 1.0)
    item = world.lab.rubric.items.get(task_id="2")
    override(submission=submission, item=item, score=Decimal(4), reason="SECRET REASON", by=world.ta.user)
    made = summary(reading, world.student)
    reviewed(made, world.ta, 2, 2, 2, 2, 1, 1, comment="SECRET COMMENT")
    adjust(submission=made, points=Decimal(1), reason="SECRET POINT", by=world.ta.user)
    pages = [see("grades", own=True), *(see("grades-part", key, own=True) for key in ("lab:tiny", "reading:one"))]
    for page in pages:
        assert "SECRET" not in page
        assert "Priya Raman" not in page
    assert "7</strong>" in pages[0]
    assert "Graded, not released" in pages[0]
    assert "Excuse, or set points" not in pages[1]
    assert "details after release" in pages[1]
    submission.overrides.update(released_at=clock.now())
    release(assignment=reading, by=world.instructor.user)
    assert "SECRET REASON" in see("grades-part", "lab:tiny", own=True)
    page = see("grades-part", "reading:one", own=True)
    for words in ("SECRET COMMENT", "SECRET POINT", "Clear understanding", "11 / 12"):
        assert words in page
    assert "Graded by" not in page
    assert "Graded by Priya Raman" in see("student-part", "reading:one")


def test_a_release_that_was_taken_back_says_why(world, see, reading, settings):
    settings.RELEASE_UNDO_S = 0
    reviewed(summary(reading, world.student), world.ta)
    made = release(assignment=reading, by=world.instructor.user)
    retract(release=made, reason="The key was wrong.", by=world.instructor.user)
    for page in (see("grades", own=True), see("grades-part", "reading:one", own=True)):
        assert "Taken back" in page
        assert "The key was wrong." in page


def test_a_decision_is_read_by_both_with_its_reason_and_staff_read_the_earlier_ones(world, see):
    reported(submit(world.lab, world.student))
    first = decide(student=world.student, part=world.lab, points=None, reason="Was ill.", by=world.ta.user)
    withdraw(decision=first, by=world.ta.user)
    given = (Decimal("8.5"), Decimal(10))
    decide(student=world.student, part=world.lab, points=given, reason="Shown orally.", by=world.ta.user)
    staff, own = see("student-part", "lab:tiny"), see("grades-part", "lab:tiny", own=True)
    for page in (staff, own):
        assert "Set to 8.5 of 10." in page
        assert "Shown orally." in page
    assert "Was ill." in staff
    assert "Was ill." not in own
    assert "Withdraw the decision" in staff
    assert "Withdraw the decision" not in own


def test_participation_and_the_talk_open_to_their_steps(world, see, scheme):
    session = SessionFactory(offering=world.offering)
    recorded(session, world.student)
    group = team(world.offering, world.student)
    turn = opened(talk(group), world.instructor)
    rated(turn, world.classmate, 5)
    staff_rated(turn, world.ta)
    closed(turn, world.instructor)
    assert "Present in 1 of 1 sessions that count" in see("grades-part", "participation", own=True)
    record = reverse("attendance-student", args=[world.offering.slug, world.student.pk])
    assert f'href="{record}"' in see("student-part", "participation")
    staff = see("student-part", "presentation")
    assert f"The talk of {group.name}." in staff
    assert "Classmates, 1 rating" in staff
    own = see("grades-part", "presentation", own=True)
    assert "Classmates" not in own
    assert "Graded, not released" in own
    turn.released_at = clock.now()
    turn.save()
    assert "Classmates, 1 rating" in see("grades-part", "presentation", own=True)


@pytest.mark.usefixtures("scheme")
class TestLetters:
    @pytest.fixture
    def class_of_ten(self, world):
        """Ada has 7 of 10 at the lab, and nine others have more or less."""
        reported(submit(world.lab, world.student), 6.0, 1.0)
        reported(submit(world.lab, world.classmate), 6.0, 4.0)
        for _ in range(8):
            reported(submit(world.lab, person(world.offering)), 0.0, 1.0)

    @pytest.mark.usefixtures("class_of_ten")
    def test_both_columns_and_which_won(self, world):
        letter = page_of(world).letter
        assert (letter.letter, letter.absolute, letter.relative, letter.won) == ("A", "B-", "A", "relative")
        assert letter.score_line == "70 reaches B-, from 70. B starts at 75, 5 higher."
        assert letter.rank_line == (
            "1 of 10 students has a higher score, 10 %. That is less than the 15 % down to which A reaches. "
            "For A+ it would have to be less than 5 %."
        )

    @pytest.mark.usefixtures("class_of_ten")
    def test_students_see_letters_where_the_policy_shows_them(self, world, see):
        assert 'id="letter"' in see("student-grade")
        hidden = see("grades", own=True)
        assert 'id="letter"' not in hidden
        assert "of 10 students" not in hidden
        GradePolicy.objects.create(offering=world.offering, show_letters=True)
        assert "1 of 10 students has a higher score" in see("grades", own=True)

    @pytest.mark.usefixtures("class_of_ten")
    def test_ranks_that_students_see_go_by_what_is_released(self, world, see):
        """An override that nobody released yet puts someone above Ada: staff see it, she does not."""
        other = reported(submit(world.lab, person(world.offering)), 0.0, 1.0)
        item = world.lab.rubric.items.get(task_id="1")
        override(submission=other, item=item, score=Decimal(6), reason="because", by=world.ta.user)
        better = world.lab.rubric.items.get(task_id="2")
        override(submission=other, item=better, score=Decimal(4), reason="because", by=world.ta.user)
        GradePolicy.objects.create(offering=world.offering, show_letters=True)
        assert "2 of 11 students have" in see("student-grade")
        assert "1 of 11 students has" in see("grades", own=True)

    def test_a_small_class_says_that_the_score_alone_decides(self, world):
        reported(submit(world.lab, world.student), 6.0, 1.0)
        letter = page_of(world).letter
        assert (letter.letter, letter.relative, letter.won_line) == ("B-", "", "The score alone decides.")
        assert letter.rank_line.startswith("The class has 1 students; the rank counts from 10 on")

    def test_rounding_is_said(self, world):
        GradePolicy.objects.create(offering=world.offering, round_to=Decimal(1))
        policy = policy_of(world.offering)
        letter = letter_view(letters(policy, {1: Fraction("89.5")})[1], policy, Fraction("89.5"))
        assert letter.score_line.startswith("89.5 is rounded to 90. 90 reaches A, from 90.")
        assert any("rounded to multiples of 1 before, half up" in sentence for sentence in policy_in_words(policy))

    def test_the_policy_stands_on_the_page_with_the_courses_example(self, world, see, browser):
        staff = browser(world.ta).get(reverse("grades", args=[world.offering.slug])).content.decode()
        for page in (see("grades", own=True), staff):
            for words in (
                "Students with the same score share the rank, and so the better letter.",
                "Students who dropped are not in the class",
                "fewer than 10 students",
                "By the score that is B+, by the rank B-; the letter is B+.",
                "compared exactly, without rounding",
            ):
                assert words in page


def test_staff_have_no_grade_and_others_are_not_there(world, browser):
    slug = world.offering.slug
    for pk in (world.ta.pk, world.dropped.pk, world.other_student.pk, 0):
        assert browser(world.ta).get(reverse("student-grade", args=[slug, pk])).status_code == 404
    assert browser(world.ta).get(reverse("grades-what-if", args=[slug])).status_code == 404
    for key in ("lab:none", "labs", "x"):
        assert browser(world.student).get(reverse("grades-part", args=[slug, key])).status_code == 404


def test_frozen_grades_stand_on_every_page_whatever_comes_after(world, see, scheme, browser):
    submission = reported(submit(world.lab, world.student), 6.0, 1.0)
    snapshot = freeze(offering=world.offering, note="no more will come", by=world.instructor.user)
    item = world.lab.rubric.items.get(task_id="2")
    override(submission=submission, item=item, score=Decimal(4), reason="because", by=world.ta.user)
    submission.overrides.update(released_at=clock.now())
    scores = browser(world.ta).get(reverse("scores", args=[world.offering.slug])).content.decode()
    assert "Grades are final since" in scores
    for page in (see("student-grade", of="so-far"), see("grades", own=True, of="so-far")):
        assert "Final since" in page
        assert '<p class="score">70<small>' in page
        assert 'id="letter"' in page
    assert "7</strong>" in see("grades-part", "lab:tiny", own=True)
    lift(snapshot=snapshot, by=world.instructor.user, reason="a mistake")
    assert '<p class="score">100<small>' in see("grades", own=True, of="so-far")
