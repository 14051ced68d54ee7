"""Changing the scheme: the dry run is what happens, a revert is exact, two instructors lose nothing, and all of it is in the log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import msgspec
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attendance.models import Attendance
from audit.models import AuditEvent
from config import clock
from courses.models import Enrollment
from gradebook.book.grades import grade_class
from gradebook.models import Component, GradePolicy, LetterCutoff, PolicyChange
from gradebook.policies.outcome import standing
from gradebook.policies.services import (
    OutcomeChanged,
    SchemeConflict,
    SchemeRefused,
    change_scheme,
    revert,
    revision_of,
    why_not_revert,
)
from gradebook.policies.spec import ComponentSpec, spec_of
from gradebook.policies.trial import try_out
from gradebook.sources.collect import collect
from gradebook.sources.policies import policy_of
from tests.factories import SessionFactory, person
from tests.platform.gradebook.classes import decide, random_scheme, random_scores, small_class
from tests.platform.gradebook.policies.test_rules import published

pytestmark = pytest.mark.django_db


@pytest.fixture
def klass(world):
    offering, _ = small_class(10, world.offering)
    GradePolicy.objects.create(offering=offering)
    students = list(Enrollment.objects.students().filter(offering=offering))
    return world, offering, students


def rows(offering):
    """Everything that a scheme is stored as, but for ids."""
    policy = GradePolicy.objects.filter(offering=offering).values("relative_from", "round_to", "show_letters")
    return [
        [{name: value for name, value in row.items() if name != "id"} for row in found]
        for found in (
            Component.objects.filter(offering=offering).values(),
            LetterCutoff.objects.filter(offering=offering).values(),
            policy,
        )
    ]


def standings(offering):
    return {pk: standing(grade) for pk, grade in grade_class(collect(offering)).students.items()}


@given(st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_dry_run_is_applying_and_comparing_and_a_revert_is_exact(klass, scores, scheme):
    world, offering, students = klass
    with transaction.atomic():
        random_scores(offering, students, scores)
        before, stored = standings(offering), rows(offering)
        promised = try_out(offering, random_scheme(scheme))
        assert rows(offering) == stored
        change = change_scheme(
            offering=offering,
            spec=random_scheme(scheme),
            by=world.instructor.user,
            reason="because",
            revision=0,
            seen=promised.digest,
        )
        after = standings(offering)
        assert {row.enrollment_pk: (row.before, row.after) for row in promised.students} == {
            pk: (before[pk], after[pk]) for pk in before if before[pk] != after[pk]
        }
        names = [found.name for found in after.values()]
        assert {row.letter: row.after for row in promised.letters if row.after} == {
            name: names.count(name) for name in names if name
        }
        assert revert(change=change, by=world.instructor.user)
        assert rows(offering) == stored
        assert standings(offering) == before
        transaction.set_rollback(True)  # the next example begins anew


def test_the_sources_and_the_editor_read_the_same_policy(klass):
    _, offering, _ = klass
    for seed in range(20):
        change_scheme(offering=offering, spec=random_scheme(seed), by=None, reason="because")
        assert spec_of(offering).policy == policy_of(offering)


def test_a_change_is_one_version_with_its_reason_and_its_line(klass):
    world, offering, students = klass
    decide(students[0], offering.components.get(kind="presentation"), "50")
    made = change_scheme(offering=offering, spec=published("B"), by=world.instructor.user, reason=" As announced. ")
    assert (made.revision, made.reason, made.made_by) == (1, "As announced.", world.instructor.user)
    assert revision_of(offering) == 1
    event = AuditEvent.objects.get(action="changed the grading scheme")
    assert event.offering_id == offering.pk
    assert "presentation 14" in event.before
    assert "presentation 15" in event.after
    assert "1 of 12 students' grades changed" in event.after
    assert revert(change=made, by=world.instructor.user)
    assert AuditEvent.objects.get(action="reverted a change of the grading scheme").reason == "reverted: As announced."
    assert not revert(change=made, by=world.instructor.user)
    assert revision_of(offering) == 2


def test_without_a_reason_no_grade_changes(klass):
    world, offering, students = klass
    decide(students[0], offering.components.get(kind="presentation"), "50")
    with pytest.raises(SchemeRefused, match="give a reason"):
        change_scheme(offering=offering, spec=published("B"), by=world.instructor.user, reason=" ")
    assert spec_of(offering) == published("A")


def test_what_changes_nobodys_grade_needs_no_reason(klass):
    world, offering, _ = klass
    assert change_scheme(offering=offering, spec=published("A", show_letters=True), by=world.instructor.user, reason="")


@pytest.mark.parametrize(
    ("spec", "sentence"), [(published("A"), "Nothing was changed"), (published(letters=()), "letter")]
)
def test_a_scheme_that_says_nothing_new_or_cannot_stand_is_refused(klass, spec, sentence):
    world, offering, _ = klass
    with pytest.raises(SchemeRefused, match=sentence):
        change_scheme(offering=offering, spec=spec, by=world.instructor.user, reason="because")
    assert not PolicyChange.objects.exists()


def test_the_second_of_two_instructors_is_told_who_was_first(klass):
    world, offering, _ = klass
    change_scheme(offering=offering, spec=published("B"), by=world.instructor.user, reason="because", revision=0)
    with pytest.raises(SchemeConflict, match="Ines Carvalho has changed"):
        change_scheme(
            offering=offering, spec=published(round_to=Decimal(1)), by=world.ta.user, reason="because", revision=0
        )
    assert spec_of(offering) == published("B")


def test_a_grade_given_meanwhile_is_seen_before_it_is_saved(klass):
    world, offering, students = klass
    part = offering.components.get(kind="presentation")
    decide(students[0], part, "50")
    seen = try_out(offering, published("B")).digest
    decide(students[1], part, "60")
    with pytest.raises(OutcomeChanged, match="Nothing is saved"):
        change_scheme(offering=offering, spec=published("B"), by=world.instructor.user, reason="because", seen=seen)
    assert spec_of(offering) == published("A")


def without(*kinds):
    kept = [row for row in published().components if row.kind not in kinds]
    rest = 100 - sum(row.weight for row in kept)
    first = msgspec.structs.replace(kept[0], weight=kept[0].weight + rest)
    return published(components=(first, *kept[1:]))


def test_a_component_with_work_or_points_in_it_stays(klass):
    world, offering, students = klass
    withdrawn = decide(students[0], offering.components.get(kind="presentation"), "50")
    withdrawn.withdrawn_at = withdrawn.made_at
    withdrawn.save()
    for kind, sentence in (("labs", "work belongs to it: Lab 1: Tiny"), ("presentation", "students have points in it")):
        with pytest.raises(SchemeRefused, match=sentence):
            change_scheme(offering=offering, spec=without(kind), by=world.instructor.user, reason="because")
    assert offering.components.count() == 7


def test_an_empty_component_goes_and_comes_back_as_it_was(klass):
    world, offering, _ = klass
    stored = rows(offering)
    gone = change_scheme(offering=offering, spec=without("midterm"), by=world.instructor.user, reason="because")
    assert not offering.components.filter(kind="midterm").exists()
    revert(change=gone, by=world.instructor.user)
    assert rows(offering) == stored


def test_a_component_that_comes_back_brings_the_numbers_of_its_source(klass):
    world, offering, students = klass
    change_scheme(offering=offering, spec=without("participation"), by=world.instructor.user, reason="because")
    for number, student in enumerate(students[:3]):
        session = SessionFactory(offering=offering, number=number + 1)
        Attendance.objects.create(session=session, enrollment=student, presence="present", recorded_at=clock.now())
    promised = try_out(offering, published())
    before = standings(offering)
    change_scheme(offering=offering, spec=published(), by=world.instructor.user, reason="because")
    after = standings(offering)
    assert before != after
    assert {row.enrollment_pk: row.after for row in promised.students} == {
        pk: after[pk] for pk in before if before[pk] != after[pk]
    }


def test_a_revert_waits_for_what_came_later_and_for_what_is_in_use(klass):
    world, offering, students = klass
    bonus = ComponentSpec("own-bonus", "Bonus", Decimal(4), extra_credit=True)
    first = change_scheme(
        offering=offering,
        spec=published(components=(*published().components, bonus)),
        by=world.instructor.user,
        reason="because",
    )
    second = change_scheme(
        offering=offering,
        spec=published("B", components=(*published("B").components, bonus)),
        by=world.instructor.user,
        reason="because",
    )
    assert "changed after this" in why_not_revert(first)
    with pytest.raises(SchemeRefused, match="changed after this"):
        revert(change=first, by=world.instructor.user)
    revert(change=second, by=world.instructor.user)
    assert why_not_revert(first) == ""
    decide(students[0], offering.components.get(kind="own-bonus"), "3", "4")
    with pytest.raises(SchemeRefused, match="“Bonus” cannot be removed, since students have points in it"):
        revert(change=first, by=world.instructor.user)


def test_a_rename_keeps_what_staff_decided(klass):
    world, offering, students = klass
    kept = decide(students[0], offering.components.get(kind="presentation"), "50")
    first, *others = [msgspec.structs.replace(row, name=f"New {row.name}") for row in published().components]
    change_scheme(
        offering=offering, spec=published(components=(first, *others)), by=world.instructor.user, reason="because"
    )
    kept.refresh_from_db()
    assert kept.component.name == "New Final research project presentation"


def test_a_dry_run_asks_the_same_for_any_class(klass):
    _, offering, students = klass
    random_scores(offering, students, 1)
    try_out(offering, published("B"))
    with CaptureQueriesContext(
        connection,
    ) as few:
        try_out(offering, published("B"))
    more = [person(offering) for _ in range(30)]
    random_scores(offering, more, 2)
    with CaptureQueriesContext(connection) as many:
        try_out(offering, published("B"))
    assert len(few) == len(many)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_moment_one_saves(world):
    offering, _ = small_class(2, world.offering)
    specs = [published("B"), published("A", round_to=Decimal(1))]

    def act(spec):
        try:
            change_scheme(offering=offering, spec=spec, by=world.instructor.user, reason="because", revision=0)
        except SchemeConflict:
            return "conflict"
        finally:
            connection.close()
        return "saved"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(act, specs)) == ["conflict", "saved"]
    assert PolicyChange.objects.filter(offering=offering).count() == 1
    assert spec_of(offering) in specs
