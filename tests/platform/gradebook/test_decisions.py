"""What staff decide stands in place of the source until it is withdrawn, whatever the source does; each act leaves its line."""

from __future__ import annotations

import threading
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connections
from django.urls import reverse

from audit.models import AuditEvent
from config import clock
from gradebook.book.parts import Score, State
from gradebook.decisions.services import DecisionRefused, decide, withdraw
from gradebook.models import Component, Decision
from gradebook.sources.collect import collect
from reviews.services import override
from tests.factories import finished, person, reported, republish, submit

pytestmark = pytest.mark.django_db
NINE = (Decimal(9), Decimal(10))


def score(world) -> Score:
    return collect(world.offering).scores[world.student.pk][f"lab:{world.lab.slug}"]


def excused(world, **given) -> Decision:
    given = {
        "student": world.student,
        "part": world.lab,
        "points": None,
        "reason": "was ill",
        "by": world.ta.user,
    } | given
    return decide(**given)


def test_excused_and_withdrawn(world):
    reported(submit(world.lab, world.student), 3.0, 4.0)
    decision = excused(world)
    assert score(world).state is State.EXCUSED
    assert withdraw(decision=decision, by=world.instructor.user)
    assert score(world) == Score(State.GRADED, Fraction(7), Fraction(10))
    assert not withdraw(decision=decision, by=world.ta.user)
    decision.refresh_from_db()
    assert (decision.withdrawn_by, decision.made_by) == (world.instructor.user, world.ta.user)
    lines = [(event.action, event.before, event.after, event.reason) for event in AuditEvent.objects.order_by("pk")]
    label = world.lab.label
    assert lines[-2:] == [
        ("excused from a part", "", f"{label}: excused", "was ill"),
        ("withdrew a decision", f"{label}: excused", "", ""),
    ]


def test_one_decision_replaces_another_and_both_are_kept(world):
    first = excused(world)
    second = excused(world, points=NINE, reason="did the oral instead")
    assert score(world) == Score(State.GRADED, Fraction(9), Fraction(10))
    first.refresh_from_db()
    assert first.withdrawn_at is not None
    assert second.withdrawn_at is None
    event = AuditEvent.objects.get(action="set the points of a part")
    assert (event.before, event.after) == (f"{world.lab.label}: excused", f"{world.lab.label}: 9 of 10")


def test_the_same_again_changes_nothing(world):
    assert excused(world) == excused(world)
    assert Decision.objects.count() == AuditEvent.objects.filter(action="excused from a part").count() == 1


def test_nothing_that_happens_to_the_source_touches_it(world, tmp_path, settings):
    submission = reported(submit(world.lab, world.student), 3.0, 4.0)
    excused(world, points=NINE)
    reported(submit(world.lab, world.student), 6.0, 4.0)
    item = world.lab.rubric.items.get(task_id="1")
    override(submission=submission, item=item, score=Decimal(1), reason="because", by=world.ta.user)
    republish(world.lab, tmp_path / "tiny")
    finished(submit(world.lab, world.student).jobs.get(), 12.0, 4.0, out_of=(12.0, 4.0))
    assert score(world) == Score(State.GRADED, Fraction(9), Fraction(10))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"reason": " x "}, "give a reason"),
        ({"points": (Decimal(-1), Decimal(10))}, "0 or more points"),
        ({"points": (Decimal(1), Decimal(0))}, "of more than 0"),
    ],
)
def test_what_is_refused(world, given, words):
    with pytest.raises(DecisionRefused, match=words):
        excused(world, **given)
    assert not Decision.objects.exists()


@pytest.fixture
def post(world, browser):
    def send(**given):
        url = reverse("decision-make", args=[world.offering.slug, world.student.pk, f"lab:{world.lab.slug}"])
        return browser(world.ta).post(url, given)

    return send


def test_the_form_decides(world, post, browser):
    assert post(what="points", points="8.5", max_points="10", reason="by hand").status_code == 302
    decision = Decision.objects.get()
    assert (decision.points, decision.max_points, decision.reason) == (Decimal("8.5"), 10, "by hand")
    url = reverse("decision-withdraw", args=[world.offering.slug, world.student.pk, decision.pk])
    assert browser(world.ta).post(url).status_code == 302
    assert not Decision.objects.filter(withdrawn_at=None).exists()
    page = browser(world.ta).post(url, follow=True).content.decode()
    assert "withdrawn already" in page


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"what": "points", "points": "8", "reason": "typed reason"}, "what they are out of"),
        ({"what": "points", "points": "-1", "max_points": "10", "reason": "typed reason"}, "Points are 0 or more"),
        ({"what": "points", "points": "1e400", "max_points": "10", "reason": "typed reason"}, ""),
        ({"what": "points", "points": "nan", "max_points": "10", "reason": "typed reason"}, "as a number"),
        ({"what": "points", "points": "1", "max_points": "0", "reason": "typed reason"}, "out of more than 0"),
        ({"what": "other", "reason": "typed reason"}, "choose one of the two"),
        ({"what": "excuse", "reason": "x" * 2001}, "below 2,000"),
        ({"what": "excuse", "reason": " a "}, "give a reason"),
        ({"what": "excuse", "reason": "nul \x00 here"}, "Null characters"),
        ({}, "give a reason"),
    ],
)
def test_a_refused_form_keeps_what_was_typed(world, post, given, words):
    response = post(**given)
    page = response.content.decode()
    assert response.status_code == 422
    assert words in page
    if given.get("reason") == "typed reason":
        assert "typed reason" in page
    assert not Decision.objects.exists()


def test_a_component_with_work_of_its_own_is_no_part_to_decide_about(world, browser):
    Component.objects.create(offering=world.offering, kind="labs", name="Labs", weight=1, position=1)
    Component.objects.create(offering=world.offering, kind="bonus", name="Bonus", weight=1, position=2)
    for key, status in (("labs", 404), ("lab:nowhere", 404), ("bonus", 302)):
        url = reverse("decision-make", args=[world.offering.slug, world.student.pk, key])
        assert browser(world.ta).post(url, {"what": "excuse", "reason": "because"}).status_code == status


def test_a_decision_of_another_student_is_not_withdrawn_here(world, browser):
    other = excused(world, student=person(world.offering))
    url = reverse("decision-withdraw", args=[world.offering.slug, world.student.pk, other.pk])
    assert browser(world.ta).post(url).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_two_at_once_leave_one_decision(world):
    """Both wait for the student's row, so the later one replaces the earlier one."""
    failed: list[Exception] = []

    def act(number: int) -> None:
        try:
            excused(world, points=(Decimal(number), Decimal(10)))
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert Decision.objects.filter(withdrawn_at=None).count() == 1
    assert Decision.objects.filter(withdrawn_at__lte=clock.now()).count() == 5
