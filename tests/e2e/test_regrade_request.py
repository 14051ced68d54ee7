"""A student asks for another look at a released score, a TA answers, and the student sees score and answer: on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from deploy.stack import Stack
from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
WHY = "My rule for sub is right; the sign is the one that the handout asks for."
BECAUSE = "I read your derivation again. The sign is right, so the task gets one point more."


def set_released(stack: Stack, when: str) -> None:
    """Release the lab in the running stack, or take that back."""
    stack.manage(
        "shell",
        "-c",
        "from assignments.models import Assignment; from config import clock; "
        f"Assignment.objects.filter(slug='autodiff').update(released_at={when})",
    )


@pytest.fixture
def released(stack: Stack) -> Iterator[None]:
    set_released(stack, "clock.now()")
    yield
    set_released(stack, "None")


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize(("viewport", "student"), [(DESKTOP, "noor"), (PHONE, "sofia")], ids=["desktop", "phone"])
def test_a_request_is_asked_answered_and_read(visit, viewport, student):
    asks, answers = visit(viewport), visit(viewport)
    page = asks.sign_in(student)
    page.goto(f"{asks.url}/o/cs498-sp26/labs/autodiff/attempts/")
    page.locator("tbody th a").first.click()
    before = page.locator(".score").inner_text()
    page.get_by_text("Ask for another look at this score").click()
    asks.see("request-ask")
    page.get_by_label("Why the score should be looked at again").fill("Wrong.")
    page.get_by_role("button", name="Ask for another look").click()
    expect(page.get_by_role("alert")).to_contain_text("a sentence at least")
    expect(page.get_by_label("Why the score should be looked at again")).to_have_value("Wrong.")
    asks.see("request-refused")
    page.get_by_label("Why the score should be looked at again").fill(WHY)
    page.get_by_role("button", name="Ask for another look").click()
    expect(page.get_by_text(WHY)).to_be_visible()
    expect(page.get_by_role("button", name="Withdraw the request")).to_be_visible()
    asks.see("request-open")

    grader = answers.sign_in("priya")
    grader.goto(f"{answers.url}/o/cs498-sp26/requests/")
    answers.see("requests")
    grader.locator("tbody tr").filter(has_text=WHY[:40]).locator("th a").first.click()
    points = grader.locator("fieldset input").first
    was = float(points.input_value())
    points.fill(str(was - 1 if was >= 1 else was + 1))
    grader.get_by_label("Your answer, which the student reads").fill(BECAUSE)
    grader.get_by_role("button", name="Keep the score").click()
    expect(grader.get_by_role("alert")).to_contain_text("You changed points")
    answers.see("request-answer")
    grader.get_by_role("button", name="Change the score").click()
    expect(grader.locator("#messages")).to_contain_text("Answered.")

    page.reload()
    expect(page.get_by_text(BECAUSE)).to_be_visible()
    expect(page.get_by_text("The score changed from")).to_be_visible()
    asks.see("request-answered")
    page.get_by_role("link", name="Back to the score").click()
    expect(page.locator(".score")).not_to_have_text(before)
