"""Weights that make a whole, and lists that ask a constant number of questions."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from gradebook.models import Component
from gradebook.presets import WEIGHTS, weights
from gradebook.services import WeightsRefused, create_scheme, set_weights
from reviews.services import override
from tests.factories import AssignmentFactory, person, reported, submit

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("scheme", ["A", "B"])
def test_the_published_schemes_are_whole(scheme):
    assert sum(weights(scheme).values()) == 100


def test_scheme_b_as_half_published_does_not_add_up(world):
    """15 for the presentation beside 25 = 5 + 5 + 15 for the reports: the sum and every part are named."""
    create_scheme(offering=world.offering, weights=weights("A"))
    with pytest.raises(WeightsRefused) as refused:
        set_weights(offering=world.offering, weights=weights("A") | {"presentation": Decimal(15)})
    sentence = str(refused.value)
    assert "101, not 100" in sentence
    for part in (
        "participation 20",
        "Lab assignments 21",
        "Reading summaries 20",
        "presentation 15",
        "Final report 15",
    ):
        assert part in sentence
    assert Component.objects.get(offering=world.offering, kind="presentation").weight == 14
    assert not AuditEvent.objects.filter(action="changed the grading scheme").exists()


def test_new_weights_are_set_and_told(world):
    create_scheme(offering=world.offering, weights=weights("A"))
    set_weights(offering=world.offering, weights=weights("B"), by=world.instructor.user)
    stored = dict(world.offering.components.values_list("kind", "weight"))
    assert stored == {kind: Decimal(weight) for kind, weight in WEIGHTS["B"].items()}
    assert AuditEvent.objects.get(action="changed the grading scheme").actor == world.instructor.user


@pytest.mark.parametrize("wrong", [{"labs": Decimal(100)}, {**weights("A"), "extra": Decimal(0)}])
def test_every_component_needs_its_weight(world, wrong):
    create_scheme(offering=world.offering, weights=weights("A"))
    with pytest.raises(WeightsRefused, match="one weight for each"):
        set_weights(offering=world.offering, weights=wrong)


def test_a_weight_below_zero_is_refused(world):
    create_scheme(offering=world.offering, weights=weights("A"))
    with pytest.raises(WeightsRefused, match="between 0 and 100"):
        set_weights(offering=world.offering, weights=weights("A") | {"labs": Decimal(-21), "readings": Decimal(62)})


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("scores", 30),
        ("lab-submissions", 12),
        ("dashboard", 18),
        ("people", 8),
        ("grades", 30),
        ("labs", 18),
        ("readings", 10),
    ],
)
def test_lists_do_not_ask_more_for_a_larger_class(name, limit, world, browser, django_assert_max_num_queries):
    lab = AssignmentFactory(offering=world.offering, slug="second", number=2)
    item = world.lab.rubric.items.get(task_id="1")
    for _ in range(8):
        student = person(world.offering)
        for assignment in (world.lab, lab):
            submission = reported(submit(assignment, student), 3.0, 4.0)
        override(
            submission=submission, item=lab.rubric.items.first(), score=Decimal(1), reason="because", by=world.ta.user
        )
        submit(world.lab, student)
    assert item.points == 6
    args = [world.offering.slug, world.lab.slug] if name.startswith("lab-") else [world.offering.slug]
    client = browser(world.ta)
    with django_assert_max_num_queries(limit):
        assert client.get(reverse(name, args=args)).status_code == 200


def test_a_students_overview_asks_the_same_for_any_number_of_attempts(world, browser, django_assert_max_num_queries):
    for _ in range(6):
        reported(submit(world.lab, world.student), 3.0, 4.0)
    client = browser(world.student)
    for name in ("dashboard", "labs", "grades"):
        with django_assert_max_num_queries(27):
            assert client.get(reverse(name, args=[world.offering.slug])).status_code == 200
