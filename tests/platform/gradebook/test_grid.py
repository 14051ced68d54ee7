"""The grid of staff: what stands in it, what its heads say, its order, its search and its pages."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from config import clock
from gradebook.decisions.services import decide
from gradebook.grid import scores_page
from gradebook.presets import weights
from gradebook.services import create_scheme
from reviews.releases.services import release
from reviews.services import override
from tests.factories import ReadingFactory, person, reported, reviewed, submit, summary

pytestmark = pytest.mark.django_db


@pytest.fixture
def reading(world):
    return ReadingFactory(assignment__offering=world.offering, assignment__number=1).assignment


@pytest.fixture
def scheme(world):
    create_scheme(offering=world.offering, weights=weights("A"))


def cells(page, name="Ada Lindqvist") -> dict:
    row = next(row for row in page.rows if row.name == name)
    return {head.column.short: cell for head, cell in zip(page.heads, row.cells, strict=True)}


def heads(page) -> dict:
    return {head.column.short: head.column for head in page.heads}


def test_without_weights_the_parts_stand_alone(world, reading):
    page = scores_page(world.ta)
    assert [(group.name, group.span) for group in page.groups] == [("Not in the grade", 2)]
    assert list(heads(page)) == ["Lab 1", "Reading 1"]
    assert not page.has_policy


def test_with_weights_totals_letters_and_components_stand_beside_the_parts(world, reading, scheme):
    ReadingFactory(assignment__offering=world.offering, assignment__number=2)
    page = scores_page(world.ta)
    assert [(group.name, group.span) for group in page.groups] == [
        ("Score", 6),
        ("Attendance and class participation", 1),
        ("Lab assignments", 1),
        ("Reading summaries", 3),
        ("Final research project presentation", 1),
    ]
    assert list(heads(page))[:6] == ["So far", "Letter so far", "Final", "By score", "By rank", "Letter"]
    assert list(heads(page))[8:11] == ["All, %", "Reading 1", "Reading 2"]


def test_the_numbers_and_where_they_lead(world, reading, scheme):
    reported(submit(world.lab, world.student), 6.0, 1.0)
    reviewed(summary(reading, world.student), world.ta, 2, 2, 2, 2, 1, 1)
    page = scores_page(world.ta)
    found = cells(page)
    assert (found["Lab 1"].text, found["Reading 1"].text) == ("7", "10")
    # (21 × 0.7 + 20 × 10/12) / 41, and of 75 that have a part
    assert (found["So far"].text, found["Final"].text) == ("76.5", "41.82")
    assert (found["Letter so far"].text, found["By score"].text, found["By rank"].text) == ("B", "F", "–")
    assert (found["Letter"].text, found["Letter"].note) == ("F", "by score")
    assert found["Lab 1"].to == f"#part-lab-{world.lab.slug}"
    assert page.rows[0].url == reverse("student-grade", args=[world.offering.slug, world.student.pk])
    assert {cells(page, "Kofi Mensah")[short].text for short in ("So far", "Lab 1")} == {"–"}


def test_overrides_decisions_and_what_is_not_released_are_marked(world, reading):
    submission = reported(submit(world.lab, world.student), 3.0, 4.0)
    item = world.lab.rubric.items.get(task_id="1")
    override(submission=submission, item=item, score=Decimal(6), reason="because", by=world.ta.user)
    assert (cells(scores_page(world.ta))["Lab 1"].text, cells(scores_page(world.ta))["Lab 1"].sign) == ("10", "pending")
    submission.overrides.update(released_at=clock.now())
    assert cells(scores_page(world.ta))["Lab 1"].sign == "staff"
    reviewed(summary(reading, world.student), world.ta)
    summary(reading, world.classmate)
    assert cells(scores_page(world.ta))["Reading 1"].sign == "pending"
    assert cells(scores_page(world.ta), "Kofi Mensah")["Reading 1"].text == "to grade"
    release(assignment=reading, by=world.instructor.user, partial=True)
    assert cells(scores_page(world.ta))["Reading 1"].sign == ""
    decide(student=world.student, part=reading, points=None, reason="was ill", by=world.ta.user)
    cell = cells(scores_page(world.ta))["Reading 1"]
    assert (cell.text, cell.sign, cell.kind) == ("excused", "staff", "excused")


def test_the_heads_say_how_the_class_stands(world):
    reported(submit(world.lab, world.student), 6.0, 4.0)
    reported(submit(world.lab, world.classmate), 3.0, 0.0)
    column = heads(scores_page(world.ta, q="nobody"))["Lab 1"]
    assert (column.graded, column.mean, column.most) == (2, "6.5", "10")


def test_a_column_sorts_and_who_has_nothing_comes_last(world):
    third = person(world.offering, name="Zoe Third")
    reported(submit(world.lab, world.student), 3.0, 0.0)
    reported(submit(world.lab, third), 6.0, 4.0)
    key = f"lab:{world.lab.slug}"

    def order(sort):
        return [row.name for row in scores_page(world.ta, sort=sort).rows]

    assert order(key) == ["Ada Lindqvist", "Zoe Third", "Kofi Mensah"]
    assert order(f"-{key}") == ["Zoe Third", "Ada Lindqvist", "Kofi Mensah"]
    assert order("") == order("name") == order("no such column") == ["Ada Lindqvist", "Kofi Mensah", "Zoe Third"]
    assert order("-name") == ["Zoe Third", "Kofi Mensah", "Ada Lindqvist"]


def test_the_order_stands_in_the_page(world, browser, scheme):
    reported(submit(world.lab, world.student), 3.0, 0.0)
    url = reverse("scores", args=[world.offering.slug])
    page = browser(world.ta).get(url, {"sort": "-final"}).content.decode()
    assert '<th scope="col" class="num" aria-sort="descending"><a href="?sort=final"' in page
    assert '<input type="hidden" name="sort" value="-final">' in page
    assert page.count("aria-sort") == 1


@pytest.fixture
def large(world, reading):
    for number in range(105):
        student = person(world.offering, name=f"Sample Student{number:03}")
        if number < 3:
            reviewed(summary(reading, student), world.ta)
            reported(submit(world.lab, student))


@pytest.mark.parametrize("name", ["scores", "people", "lab-submissions"])
def test_a_long_list_comes_in_pages_and_can_be_searched(world, large, browser, settings, name):
    settings.GRADING_MAX_WAITING = 200
    for number in range(100):
        submit(world.lab, world.student, client_token=f"again-{number}")
    args = [world.offering.slug, world.lab.slug] if name.startswith("lab-") else [world.offering.slug]
    client, url = browser(world.ta), reverse(name, args=args)
    first = client.get(url).content.decode()
    assert "1 to 100 of" in first
    assert "page=2" in first
    second = client.get(url, {"page": "2"}).content.decode()
    assert "1 to 100 of" not in second
    found = client.get(url, {"q": "student002"}).content.decode()
    assert "Student002" in found
    assert "Student001" not in found
    nothing = client.get(url, {"q": "nobody of that name"})
    assert nothing.status_code == 200
    assert "atches" in nothing.content.decode()


def test_the_heads_speak_of_the_whole_class_whatever_is_sought(world, large):
    page = scores_page(world.ta, q="student002")
    assert (len(page.rows), page.students, heads(page)["Reading 1"].graded) == (1, 107, 3)
