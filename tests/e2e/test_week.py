"""A week in a browser: a paper is listed, two students write, a TA grades by keys, scores are released, one is asked about."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from deploy.stack import Stack
from tests.e2e.test_queue import Keyboard

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PEOPLE = {"ines": "INSTRUCTOR", "priya": "TA", "ada": "STUDENT", "kofi": "STUDENT"}
OFFERING = """
from datetime import date
from accounts.models import User
from courses.models import Course, Enrollment, Offering, Role
course = Course.objects.create(code="WEEK", title="One week")
offering = Offering.objects.create(course=course, slug="week", term="Week", starts_on=date(2025, 1, 20), ends_on=date(2026, 6, 1))
for name, role in PEOPLE.items():
    user = User.objects.get(email=f"{name}@demo.gradlab.example")
    Enrollment.objects.create(offering=offering, user=user, role=Role[role])
"""
# what a week does
PASSES = """
from datetime import timedelta
from assignments.models import Assignment
from config import clock
reading = Assignment.objects.get(offering__slug="week", number=1)
reading.due_at = clock.now() - timedelta(minutes=1)
reading.save()
"""
ANSWERS = ("problem", "impact", "ideas", "technique", "assessment", "improvement")


def write(page: Page, address: str, name: str) -> None:
    """A summary, saved by itself as it is typed, and handed in."""
    page.goto(address)
    for item in ANSWERS:
        page.locator(f'[name="cell-{item}"]').fill(f"{name} on the {item}: $O(n^2)$ becomes *linear*.")
    expect(page.locator("[data-save-text]")).to_have_text(re.compile(r"^Saved \d\d:\d\d"))
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.locator(".messages")).to_contain_text(re.compile(r"Your receipt is #\d+"))


def put_on_the_list(instructor: Page, course: str) -> None:
    """By hand, as there is no network."""
    instructor.goto(f"{course}/readings/")
    instructor.get_by_role("link", name="Add a paper").first.click()
    instructor.get_by_label("Title").fill("Orca: A Distributed Serving System")
    instructor.get_by_label("Opens").fill("2026-02-01T08:00:00")
    instructor.get_by_label("Due", exact=True).fill("2026-05-01T23:59:59")
    instructor.get_by_role("button", name="Add to the list").click()
    expect(instructor.get_by_text("“Orca: A Distributed Serving System” is on the list")).to_be_visible()


def grade_by_keys(ta: Page, course: str) -> None:
    """Both summaries, without the mouse and without names."""
    ta.goto(f"{course}/queue/")
    ta.get_by_role("link", name=re.compile("Orca")).first.click()
    ta.wait_for_url(re.compile(r"/queue/[\w-]+/$"))
    ta.wait_for_load_state("load")
    keyboard = Keyboard(ta)
    keyboard.go("n")
    for marks in ("222221", "212221"):
        expect(ta.locator("main")).not_to_contain_text("Kofi Mensah")
        before = keyboard.pressed
        keyboard.go(*marks, "Enter")
        assert keyboard.pressed - before == 7
    expect(ta.get_by_text("Nothing is left for you here")).to_be_visible()


def ask_for_another_look(student: Page) -> None:
    student.get_by_text("Ask for another look at this score").click()
    student.get_by_label("Why the score should be looked at again").fill(
        "My last item names two ideas, with their cost."
    )
    student.get_by_role("button", name="Ask for another look").click()


def answer(instructor: Page, course: str) -> None:
    """Both points for the last item."""
    instructor.goto(f"{course}/requests/")
    instructor.locator("tbody tr th a").first.click()
    instructor.locator("fieldset input").last.fill("2")
    instructor.get_by_label("Your answer, which the student reads").fill("Both ideas count, so it gets both points.")
    instructor.get_by_role("button", name="Change the score").click()
    expect(instructor.locator("#messages")).to_contain_text("Answered.")


def test_a_week_with_three_people(visit, stack: Stack):
    stack.manage("shell", "-c", f"PEOPLE = {PEOPLE!r}\n{OFFERING}")
    course = f"{stack.url}/o/week"
    visitors = {name: visit() for name in PEOPLE}
    pages = {name: visitor.sign_in(name) for name, visitor in visitors.items()}
    instructor, ada = pages["ines"], pages["ada"]

    put_on_the_list(instructor, course)
    ada.goto(f"{course}/readings/")
    ada.get_by_role("link", name="Orca: A Distributed Serving System").click()
    reading = ada.url
    for name in ("ada", "kofi"):
        write(pages[name], reading, name)
    stack.manage("shell", "-c", PASSES)
    grade_by_keys(pages["priya"], course)

    # nobody sees a number before the release
    ada.goto(reading)
    expect(ada.get_by_text("Graded, not released").first).to_be_visible()
    expect(ada.locator(".score")).to_have_count(0)
    instructor.goto(reading)
    instructor.get_by_role("link", name=re.compile("^Release")).first.click()
    visitors["ines"].see("week-release")
    instructor.get_by_role("button", name=re.compile("^Release")).click()
    ada.reload()
    score = ada.locator(".score").inner_text()
    assert re.match(r"1[01]\s*/\s*12", score)
    visitors["ada"].see("week-released")

    # the TA graded it, so the instructor answers
    ask_for_another_look(ada)
    answer(instructor, course)
    ada.goto(reading)
    expect(ada.locator(".score")).not_to_have_text(score)
    expect(ada.get_by_text("Both ideas count")).to_be_visible()
    instructor.goto(f"{course}/audit/")
    for act in ("graded", "released", "asked for another look"):
        expect(instructor.get_by_role("rowheader", name=re.compile(f"{act}$")).first).to_be_visible()
    visitors["ines"].see("week-audit")
