"""Every student at every part: what is graded, handed in, missing, not due, excused; as staff and as students see it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments.due.models import Accommodation
from config import clock
from gradebook.book.grades import grade_class
from gradebook.book.letters import letters
from gradebook.book.parts import Score, State
from gradebook.models import Component, Decision, GradePolicy
from gradebook.presets import weights
from gradebook.services import create_scheme
from gradebook.sources.collect import collect
from gradebook.sources.hand import hand_scores_of
from gradebook.sources.labs import lab_scores
from projects.deliverables.models import Stage
from reviews.lists import best
from reviews.marking.scores import hand_scores, latest_submissions
from reviews.marking.services import adjust
from reviews.models import RubricScore
from reviews.releases.services import release
from reviews.scores import score_all
from reviews.services import override
from submissions.models import Submission
from tests.factories import (
    AssignmentFactory,
    ExtensionFactory,
    ReadingFactory,
    deliverable,
    person,
    refused,
    reported,
    reviewed,
    submit,
    summary,
    team,
    team_work,
)

pytestmark = pytest.mark.django_db


def graded(points, most) -> Score:
    return Score(State.GRADED, Fraction(points), Fraction(most))


@pytest.fixture
def reading(world):
    return ReadingFactory(assignment__offering=world.offering, assignment__number=1, assignment__slug="one").assignment


@pytest.fixture
def score(world):
    """One student's score at a part, by default Ada's at the lab."""

    def of(key="", student=None, **how) -> Score:
        student = student or world.student
        return collect(world.offering, **how).scores[student.pk][key or f"lab:{world.lab.slug}"]

    return of


@pytest.fixture
def over(world):
    """The lab's time has passed for everyone who was granted nothing."""
    world.lab.due_at = clock.now() - timedelta(minutes=1)
    world.lab.save()


def excuse(world, **about) -> Decision:
    about.setdefault("enrollment", world.student)
    return Decision.objects.create(excused=True, reason="ill", made_at=clock.now(), **about)


def test_the_best_attempt_counts_and_says_which_it_is(world, score):
    reported(submit(world.lab, world.student), 2.0, 0.0)
    second = reported(submit(world.lab, world.student), 6.0, 1.0)
    reported(submit(world.lab, world.student), 3.0, 4.0)  # as good: the earlier one stands
    submit(world.lab, world.student)
    assert score() == graded(7, 10)
    origin = collect(world.offering).origins[world.student.pk, f"lab:{world.lab.slug}"]
    assert (origin.submission_pk, origin.attempt, origin.attempts) == (second.pk, 2, 4)
    assert (origin.overridden, origin.pending, origin.settled) == (False, False, False)


def test_an_override_counts_for_staff_at_once_and_for_the_student_from_its_release(world, score):
    submission = reported(submit(world.lab, world.student), 3.0, 0.0)
    item = world.lab.rubric.items.get(task_id="2")
    override(submission=submission, item=item, score=Decimal("3.5"), reason="because", by=world.ta.user)
    assert score() == graded("6.5", 10)
    assert score(released_only=True) == graded(3, 10)
    key = world.student.pk, f"lab:{world.lab.slug}"
    staff, own = (collect(world.offering, released_only=only).origins[key] for only in (False, True))
    assert (staff.overridden, staff.pending, own.overridden, own.pending) == (True, True, False, False)
    RubricScore.objects.update(released_at=clock.now())
    assert score(released_only=True) == graded("6.5", 10)


def test_an_override_of_another_attempt_is_not_this_ones(world):
    reported(submit(world.lab, world.student), 6.0, 4.0)
    worse = reported(submit(world.lab, world.student), 0.0, 0.0)
    override(
        submission=worse, item=world.lab.rubric.items.first(), score=Decimal(1), reason="because", by=world.ta.user
    )
    origin = collect(world.offering).origins[world.student.pk, f"lab:{world.lab.slug}"]
    assert (origin.attempt, origin.overridden, origin.pending) == (1, False, True)


@pytest.mark.parametrize("released_only", [False, True])
def test_labs_count_as_on_every_other_page(world, settings, released_only):
    """Against the selector that scores submissions one by one, over attempts, refusals, overrides and ties at random."""
    settings.GRADING_MAX_WAITING = 100
    random = Random(6)
    other = AssignmentFactory(offering=world.offering, slug="second", number=2)
    for lab in (world.lab, other):
        item = lab.rubric.items.first()
        for student in (world.student, world.classmate, person(world.offering)):
            for _ in range(random.randint(0, 5)):
                made = submit(lab, student)
                if random.random() < 0.15:
                    refused(made.jobs.get())
                elif random.random() < 0.9:
                    reported(made, random.choice([0.0, 3.0, 6.0]), random.choice([0.0, 1.0, 4.0]))
                if random.random() < 0.3:
                    given = Decimal(random.randint(0, 6))
                    override(submission=made, item=item, score=given, reason="because", by=world.ta.user)
    RubricScore.objects.filter(pk__in=RubricScore.objects.values_list("pk", flat=True)[::2]).update(
        released_at=clock.now()
    )
    attempts: dict = {}
    for row in score_all(Submission.objects.order_by("pk"), for_staff=not released_only):
        attempts.setdefault((row.submission.enrollment_id, row.submission.assignment_id), []).append(row)
    found = lab_scores([world.lab, other], released_only=released_only)
    assert found.keys() == attempts.keys()
    assert len(found) >= 4
    for key, rows in attempts.items():
        top = best(rows)
        wanted = Score(State.UNGRADED) if top is None else graded(top.score, top.max_score)
        assert found[key].score == wanted
        assert found[key].origin.submission_pk == (top or rows[-1]).submission.pk
        assert found[key].origin.attempts == len(rows)
        assert found[key].origin.overridden == (top is not None and top.overridden)


def test_work_that_cannot_be_graded_is_handed_in_and_not_graded(world, score, over):
    world.lab.due_at = clock.now() + timedelta(days=1)
    world.lab.save()
    refused(submit(world.lab, world.student).jobs.get())
    assert score() == Score(State.UNGRADED)


def test_nothing_handed_in_is_missing_once_the_time_has_passed(world, score, over):
    assert score().state is State.MISSING
    ExtensionFactory(assignment=world.lab, enrollment=world.student)
    assert score().state is State.NOT_DUE
    assert score(student=world.classmate).state is State.MISSING
    Accommodation.objects.create(enrollment=world.classmate, amount=1, unit="days", reason="r", granted_at=clock.now())
    assert score(student=world.classmate).state is State.NOT_DUE


def test_a_teams_work_is_due_at_the_latest_of_their_dates(world, score):
    due = clock.now() - timedelta(days=1)
    report = deliverable(world.offering, Stage.PROPOSAL, due_at=due)
    team(world.offering, world.student, world.classmate)
    alone = person(world.offering)
    assert score("deliverable:proposal").state is State.MISSING
    ExtensionFactory(assignment=report, enrollment=world.student)
    ExtensionFactory(assignment=world.lab, enrollment=alone)
    for student in (world.student, world.classmate):
        assert score("deliverable:proposal", student=student).state is State.NOT_DUE
        assert score("deliverable:proposal", student=student, students=[student]).state is State.NOT_DUE
    assert score("deliverable:proposal", student=alone).state is State.MISSING


def test_the_second_of_the_due_moment_itself_still_counts(world, score, monkeypatch):
    due = world.lab.due_at.replace(microsecond=0)
    world.lab.due_at = due
    world.lab.save()
    monkeypatch.setattr(clock, "now", lambda: due + timedelta(microseconds=999_999))
    assert score().state is State.NOT_DUE
    monkeypatch.setattr(clock, "now", lambda: due + timedelta(seconds=1))
    assert score().state is State.MISSING


def test_marks_by_hand_count_for_students_from_the_release_on(world, reading, score):
    reviewed(summary(reading, world.student), world.ta, 2, 2, 2, 2, 1, 1)
    summary(reading, world.classmate)
    assert score("reading:one") == graded(10, 12)
    assert score("reading:one", released_only=True) == Score(State.UNGRADED)
    assert score("reading:one", student=world.classmate) == Score(State.UNGRADED)
    assert collect(world.offering).origins[world.student.pk, "reading:one"].pending
    release(assignment=reading, by=world.instructor.user, partial=True)
    assert score("reading:one", released_only=True) == graded(10, 12)
    origin = collect(world.offering).origins[world.student.pk, "reading:one"]
    assert (origin.pending, origin.settled) == (False, True)


def test_the_latest_summary_counts(world, reading, score):
    reviewed(summary(reading, world.student), world.ta)
    newer = summary(reading, world.student)
    assert score("reading:one") == Score(State.UNGRADED)
    assert collect(world.offering).origins[world.student.pk, "reading:one"].submission_pk == newer.pk


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
    wanted = {score.submission.enrollment_id: graded(score.total, score.points) for score in scores.values()}
    assert {student: row.score for (student, _), row in hand_scores_of([reading]).items()} == wanted
    assert {student: row.score for (student, _), row in hand_scores_of([reading], list(wanted)).items()} == wanted
    assert len(wanted) == 4
    assert graded("6.3", 12) in wanted.values()


def test_a_report_is_the_score_of_each_of_its_authors(world, score):
    report = deliverable(world.offering, Stage.PROPOSAL)
    made = team_work(report, team(world.offering, world.student, world.classmate))
    reviewed(made, world.ta, 8)
    for student in (world.student, world.classmate):
        assert score("deliverable:proposal", student=student) == graded(8, 10)
    assert score("deliverable:proposal", student=person(world.offering)).state is State.NOT_DUE


def test_what_is_hidden_or_not_published_or_shown_as_a_talk_is_no_part(world, reading):
    deliverable(world.offering, Stage.PRESENTATION)
    AssignmentFactory(offering=world.offering, slug="planned", lab=None)
    assert {part.key for part in collect(world.offering).parts} == {f"lab:{world.lab.slug}", "reading:one"}
    reading.reading.hidden = True
    reading.reading.save()
    assert {part.key for part in collect(world.offering).parts} == {f"lab:{world.lab.slug}"}


def test_parts_stand_in_the_order_of_their_components(world, reading):
    create_scheme(offering=world.offering, weights=weights("A"))
    deliverable(world.offering, Stage.FINAL)
    keys = [part.key for part in collect(world.offering).parts]
    assert keys == ["participation", f"lab:{world.lab.slug}", "reading:one", "presentation", "deliverable:final"]


def test_a_decision_stands_in_place_of_the_source_until_it_is_withdrawn(world, score):
    reported(submit(world.lab, world.student), 3.0, 4.0)
    decision = excuse(world, assignment=world.lab)
    assert score() == Score(State.EXCUSED) == score(released_only=True)
    assert score(student=world.classmate).state is State.NOT_DUE
    origin = collect(world.offering).origins[world.student.pk, f"lab:{world.lab.slug}"]
    assert (origin.decision, origin.attempt) == (decision, 1)
    Decision.objects.update(excused=False, points=Decimal(9), max_points=Decimal(10))
    assert score() == graded(9, 10)
    Decision.objects.update(withdrawn_at=clock.now())
    assert score() == graded(7, 10)


def test_a_component_without_assignments_stands_by_decisions(world, score):
    bonus = Component.objects.create(offering=world.offering, name="Bonus", kind="bonus", weight=2, position=1)
    assert score("bonus") == Score(State.NOT_DUE)
    Decision.objects.create(
        enrollment=world.student, component=bonus, points=3, max_points=4, reason="r", made_at=clock.now()
    )
    assert score("bonus") == graded(3, 4)


def test_those_who_dropped_are_out_and_the_rest_stand_as_in_a_class_list(world):
    gone = person(world.offering, name="Zoe Gone")
    reported(submit(world.lab, gone))
    gone.dropped_at = clock.now()
    gone.save()
    book = collect(world.offering)
    names = [student.user.sort_name for student in book.students]
    assert names == sorted(names)
    assert gone.pk not in book.scores
    assert len(book.scores) == len(names) == 2


def test_some_students_stand_as_in_the_whole_class(world, reading):
    excuse(world, assignment=reading)
    for student in (world.student, world.classmate):
        reported(submit(world.lab, student))
        reviewed(summary(reading, student), world.ta)
    whole, one = collect(world.offering), collect(world.offering, students=[world.student])
    assert one.students == (world.student,)
    assert one.scores == {world.student.pk: whole.scores[world.student.pk]}
    assert one.origins == {key: origin for key, origin in whole.origins.items() if key[0] == world.student.pk}


def test_the_policy_is_the_offerings(world):
    assert collect(world.offering).policy.relative_from == 10
    create_scheme(offering=world.offering, weights=weights("A"))
    GradePolicy.objects.create(offering=world.offering, relative_from=1, round_to=Decimal("0.5"))
    Component.objects.filter(kind="labs").update(drop_lowest=1, by_points=True)
    policy = collect(world.offering).policy
    assert (policy.relative_from, policy.round_to) == (1, Fraction(1, 2))
    assert sum(rule.weight for rule in policy.components) == 100
    labs = next(rule for rule in policy.components if rule.kind == "labs")
    assert (labs.drop_lowest, labs.by_points, labs.weight) == (1, True, 21)
    assert [rule.letter for rule in policy.letters][::10] == ["A+", "F"]


def test_the_grades_of_the_class(world, reading):
    """By hand: labs weigh 21 and readings 20, the rest is not known."""
    create_scheme(offering=world.offering, weights=weights("A"))
    reported(submit(world.lab, world.student), 6.0, 4.0)
    reviewed(summary(reading, world.student), world.ta, 1, 1, 1, 1, 1, 1)
    reported(submit(world.lab, world.classmate), 3.0, 0.0)
    book = collect(world.offering)
    grades = grade_class(book).students
    first, second = grades[world.student.pk], grades[world.classmate.pk]
    assert first.so_far.score == Fraction(100 * (21 + 10), 41)
    assert first.final.score == Fraction(100 * (21 + 10), 21 + 20 + 20 + 14)  # there are no reports yet
    assert (second.so_far.score, second.final.score) == (30, Fraction(100 * 21 * 3, 10 * 75))
    wanted = letters(book.policy, {pk: grade.final.score for pk, grade in grades.items()})
    assert {pk: grade.letter for pk, grade in grades.items()} == wanted
    assert (first.letter_so_far.letter, second.letter_so_far.letter) == ("B", "F")


def test_without_weights_or_cutoffs_there_are_no_letters(world):
    grade = grade_class(collect(world.offering)).students[world.student.pk]
    assert (grade.final.score, grade.letter, grade.letter_so_far) == (None, None, None)


def test_a_larger_class_asks_no_more(world, reading):
    create_scheme(offering=world.offering, weights=weights("A"))

    def grow(number):
        for _ in range(number):
            student = person(world.offering)
            made = reported(submit(world.lab, student))
            item = world.lab.rubric.items.first()
            override(submission=made, item=item, score=Decimal(1), reason="because", by=world.ta.user)
            reviewed(summary(reading, student), world.ta)
            ExtensionFactory(assignment=reading, enrollment=student)
            excuse(world, enrollment=student, assignment=reading)

    def asked(**how) -> int:
        with CaptureQueriesContext(connection) as queries:
            collect(world.offering, **how)
        return len(queries)

    grow(2)
    few = asked(), asked(released_only=True), asked(students=[world.student])
    grow(6)
    assert (asked(), asked(released_only=True), asked(students=[world.student])) == few
    assert max(few) <= 28
