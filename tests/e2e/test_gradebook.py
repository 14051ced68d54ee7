"""The gradebook explains itself: a number opens down to its check, staff decide, a student tries what if."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
LAB = "#part-lab-autodiff"


def test_a_grade_explains_itself(visit):
    teacher = visit(DESKTOP)
    page = teacher.sign_in("ines")
    page.get_by_role("link", name="Scores").click()
    expect(page.get_by_role("heading", name="Scores", level=1)).to_be_visible()
    teacher.see("gradebook-scores")
    page.get_by_role("link", name="Final", exact=True).click()
    expect(page.locator('th[aria-sort="descending"]')).to_contain_text("Final")

    # from the number in the grid to a check, by the keyboard
    page.locator(f'tbody tr:first-child a[href*="{LAB}"]').press("Enter")
    part = page.locator(LAB)
    expect(part.get_by_text("the one with the highest share of its points counts")).to_be_visible()
    task = part.locator(".grade-task").first
    task.locator("summary").press("Enter")
    expect(task.locator(".check-title").first).to_be_visible()
    expect(part.get_by_text(re.compile(r"^Run \d+, .*version [0-9a-f]{8} of the lab, seed "))).to_be_visible()
    teacher.see("gradebook-grade")
    student = page.get_by_role("paragraph").filter(has_text="@demo.gradlab.example").inner_text().split("@")[0]

    # a refused decision keeps what was typed; then it stands
    part.get_by_text("Excuse, or set points").click()
    part.get_by_label("Points in place of the source").check()
    part.get_by_label("Reason, which the student reads").fill("Shown at the board")
    part.get_by_role("button", name="Decide").click()
    expect(page.get_by_role("alert")).to_contain_text("Please give the points")
    expect(page.get_by_label("Reason, which the student reads")).to_have_value("Shown at the board")
    teacher.see("gradebook-decision-refused")
    page.get_by_label("Points", exact=True).fill("9")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("Set to 9 of")).to_be_visible()
    teacher.see("gradebook-part")

    phone = visit(PHONE)
    own = phone.sign_in(student)
    own.goto(f"{phone.url}/o/cs498-sp26/grades/")
    expect(own.locator(LAB)).to_contain_text("Shown at the board")
    own.locator(f"{LAB} > summary").click()
    expect(own.locator(LAB).get_by_text("Set to 9 of")).to_be_visible()
    phone.see("gradebook-own")

    own.get_by_role("link", name="What if").click()
    own.get_by_label("Final research project presentation").fill("90")
    own.get_by_role("button", name="Calculate").click()
    expect(own).to_have_url(re.compile("presentation=90"))
    now, then = (own.locator(".what-if tbody tr").first.locator("td").nth(n).inner_text() for n in (0, 1))
    assert now != then
    assert "–" not in then
    phone.see("gradebook-what-if")
