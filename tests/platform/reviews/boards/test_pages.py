"""The page of boards: names to everyone, people to staff alone; joining, leaving, and names that staff take off."""

from __future__ import annotations

from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.models import AuditEvent
from reviews.boards.models import BoardMember
from reviews.boards.services import join
from tests.factories import person

pytestmark = pytest.mark.django_db(transaction=True)


def url(world, name: str = "boards", *more: int) -> str:
    return reverse(name, args=[world.offering.slug, world.lab.slug, *more])


def shown(client, world) -> str:
    answer = client.get(url(world))
    assert answer.status_code == 200
    return unescape(answer.content.decode())


@pytest.fixture
def two(world, lab, hand_in, prove):
    """Ada and Kofi are on, close to each other, and a third is clearly behind."""
    third = person(world.offering, name="Mira Novak")
    for student, name, cost, spread in (
        (world.student, "Warp Nine", "2.0", 0.2),
        (world.classmate, "Lane Change", "2.1", 0.2),
        (third, "Slow Boat", "9.0", 0.2),
    ):
        join(assignment=lab, enrollment=student, name=name)
        hand_in(student, cost, spread)
    prove()


def test_students_see_names_places_and_intervals_and_never_people(world, two, browser):
    text = shown(browser(world.student), world)
    assert text.index("Warp Nine") < text.index("Lane Change") < text.index("Slow Boat")
    assert text.count(", shared") == 2
    assert "1.80 to 2.20, 15 pairs" in text or "1.8 to 2.2, 15 pairs" in text
    for name in ("Kofi Mensah", "Mira Novak"):
        assert name not in text
    assert text.count('class="tag">you') == 1


def test_staff_see_who_is_behind_a_name_and_the_attempt(world, two, browser):
    text = shown(browser(world.ta), world)
    for name in ("Ada Lindqvist", "Kofi Mensah", "Mira Novak"):
        assert name in text
    assert text.count("Attempt 1") == 3
    assert "Join" not in text


def test_the_page_asks_the_same_questions_for_three_as_for_thirty(world, two, lab, browser):
    client = browser(world.ta)
    with CaptureQueriesContext(
        connection,
    ) as before:
        client.get(url(world))
    for n in range(9):
        join(assignment=lab, enrollment=person(world.offering), name=f"Extra {n}")
    with CaptureQueriesContext(connection) as after:
        client.get(url(world))
    assert len(after) == len(before)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "Please choose a name."),
        ("ab", "cannot be a name on a board"),
        ("x" * 25, "Please keep the name to 24 characters."),
        ("<b>bold</b>", "cannot be a name on a board"),
        ("kofi mensah", "That is the name of somebody in this course."),
        ("lane change", "Somebody is on these boards as “lane change” already."),
    ],
)
def test_a_name_that_cannot_be_is_told_why_and_kept_in_the_form(world, lab, browser, name, told):
    join(assignment=lab, enrollment=world.classmate, name="Lane Change")
    answer = browser(world.student).post(url(world, "board-join"), {"name": name})
    text = unescape(answer.content.decode())
    assert answer.status_code == 422
    assert told in text
    assert not BoardMember.objects.filter(enrollment=world.student).exists()


def test_joining_again_changes_the_name_alone(world, lab, browser):
    client = browser(world.student)
    for name in ("Warp Nine", "  Warp   Ten "):
        assert client.post(url(world, "board-join"), {"name": name}).status_code == 302
    member = BoardMember.objects.get()
    assert (member.name, member.enrollment_id) == ("Warp Ten", world.student.pk)
    assert "You are here as “Warp Ten”" in shown(client, world)


def test_staff_cannot_join(world, lab, browser):
    answer = browser(world.ta).post(url(world, "board-join"), {"name": "Teacher"})
    assert answer.status_code == 422
    assert "Boards are for students." in unescape(answer.content.decode())


def test_leaving_is_a_click(world, lab, browser):
    client = browser(world.student)
    join(assignment=lab, enrollment=world.student, name="Warp Nine")
    assert client.post(url(world, "board-leave")).status_code == 302
    assert "You are not on the boards" in shown(client, world)


def test_a_name_that_staff_took_off_is_there_for_its_student_with_the_reason(world, two, browser):
    member = BoardMember.objects.get(name="Lane Change")
    staff = browser(world.ta)
    assert staff.post(url(world, "board-hide", member.pk), {"reason": "It names a person."}).status_code == 302
    assert "Lane Change" not in shown(browser(world.student), world)
    own = shown(browser(world.classmate), world)
    assert "It names a person." in own
    assert "Lane Change" in own
    assert shown(browser(world.student), world).count(", shared") == 0, "who is off ties with nobody"
    assert "Put back" in shown(staff, world)
    staff.post(url(world, "board-show", member.pk))
    assert "Lane Change" in shown(browser(world.student), world)
    acts = [event.action for event in AuditEvent.objects.order_by("pk") if "board" in event.action]
    assert acts == ["took a name off a board", "put a name back on a board"]


def test_a_name_is_not_taken_off_without_a_reason(world, two, browser):
    member = BoardMember.objects.get(name="Lane Change")
    browser(world.ta).post(url(world, "board-hide", member.pk), {"reason": " "})
    member.refresh_from_db()
    assert member.hidden_at is None


def test_a_lab_without_boards_has_no_such_page(world, browser):
    assert browser(world.student).get(url(world)).status_code == 404
    assert (
        "/boards/"
        not in browser(world.student).get(reverse("lab", args=[world.offering.slug, "tiny"])).content.decode()
    )


def test_a_lab_with_boards_leads_to_them(world, lab, browser):
    assert url(world) in browser(world.student).get(reverse("lab", args=[world.offering.slug, "tiny"])).content.decode()


def test_who_dropped_the_course_is_on_no_board(world, two, browser):
    world.classmate.dropped_at = "2026-02-10T00:00:00Z"
    world.classmate.save()
    assert "Lane Change" not in shown(browser(world.ta), world)
