"""A course platform opens Gradlab in a browser: the instructor links the course, reads its names and sends scores; students come in."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from deploy.demo import PASSWORD
from deploy.stack import Stack
from tests.e2e.conftest import DESKTOP, PHONE, Visitor
from tests.platform.lti.double import CLAIM, CLIENT, DEPLOYMENT, MEMBERSHIP, Double, serve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
LEARNER, INSTRUCTOR = [MEMBERSHIP + "Learner"], [MEMBERSHIP + "Instructor"]


def person(name: str, email: str, role: str = "Learner") -> dict[str, object]:
    """One of the course's people, as names and roles tell of them."""
    return {
        "user_id": f"subject-{email}",
        "name": name,
        "email": email,
        "roles": [MEMBERSHIP + role],
        "status": "Active",
    }


@pytest.fixture(scope="module")
def canvas(stack: Stack) -> Iterator[Double]:
    """The platform, registered by the operator."""
    double = Double(tool_keys=lambda: {"keys": []})
    double.members = [
        person("Ada Lindqvist", "ada@demo.gradlab.example"),
        person("Tove Berg", "tove@demo.gradlab.example"),
        person("Priya Raman", "priya@demo.gradlab.example"),
    ]
    server = serve(double)
    urls = [f"--{name}-url={double.url}/{name}" for name in ("auth", "token", "jwks")]
    add = [
        "lti_platform",
        "add",
        "Canvas",
        "--issuer",
        double.url,
        "--client",
        CLIENT,
        "--deployment",
        DEPLOYMENT,
        *urls,
    ]
    assert "JWKS" in stack.manage(*add)
    double.tool_keys = lambda: double.fetched(f"{stack.url}/lti/jwks/")
    yield double
    server.shutdown()
    server.server_close()


def come(visitor: Visitor, canvas: Double, name: str, email: str, roles: list[str]) -> Page:
    """Press the course's link as this person."""
    canvas.person = {"sub": f"subject-{email}", "name": name, "email": email, CLAIM + "roles": roles}
    visitor.page.goto(f"{canvas.url}/course?tool={visitor.url}")
    visitor.page.get_by_role("button", name="Gradlab").click()
    visitor.page.wait_for_url(f"{visitor.url}/**")
    return visitor.page


def say_who(page: Page, account: str) -> None:
    """Sign in with the account that the course knows, and say that both are the same person."""
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail address").fill(f"{account}@demo.gradlab.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Both are me").click()


def newcomer(student: Visitor, canvas: Double) -> None:
    """Somebody new gets an account, and comes straight in after that."""
    email = f"tove-{student.page.viewport_size['width']}@demo.gradlab.example"
    page = come(student, canvas, "Tove Berg", email, LEARNER)
    student.see("lti-who")
    page.get_by_role("button", name="I am new here").click()
    page.wait_for_url("**/o/cs498-sp26/")
    page.goto("about:blank")
    come(student, canvas, "Tove Berg", email, LEARNER).wait_for_url("**/o/cs498-sp26/")


def test_an_instructor_links_the_course_reads_its_names_and_sends_scores_and_newcomers_come_in(visit, canvas):
    staff = visit()
    page = come(staff, canvas, "Inés Marchetti", "ines@school.example", INSTRUCTOR)
    expect(page.get_by_role("heading", name="Who are you here?")).to_be_visible()
    staff.see("lti-who")
    say_who(page, "ines")
    expect(page.get_by_role("heading", name="Which offering is this?")).to_be_visible()
    staff.see("lti-which-offering")
    page.get_by_label("Offering").select_option("cs498-sp26")
    page.get_by_label("Add students who come from there").check()
    page.get_by_role("button", name="Link the course").click()
    expect(page.locator("#messages")).to_contain_text("is linked to")
    staff.see("lti-platform")

    page.get_by_role("link", name="Names and roles").click()
    page.get_by_role("button", name="Read names and roles").click()
    expect(page.get_by_text("2 people are in both.")).to_be_visible()
    expect(page.get_by_role("table").first).to_contain_text("Tove Berg")
    staff.see("lti-members")

    page.goto(page.url.replace("members", "scores"))
    page.get_by_label("Reading 1", exact=False).first.check()
    page.get_by_role("button", name="Show what would change").click()
    row = page.locator("#preview").get_by_role("row").filter(has_text="Lindqvist")
    expect(row).to_be_visible()
    staff.see("lti-scores")
    page.get_by_role("button", name=re.compile("Send 1 score")).click()
    for _ in range(120):
        if canvas.scores:
            break
        time.sleep(0.5)
    ((score,),) = canvas.scores.values()
    assert (score["userId"], score["gradingProgress"]) == ("subject-ada@demo.gradlab.example", "FullyGraded")
    assert canvas.refused == []
    page.reload()
    expect(page.get_by_role("row").filter(has_text="Reading 1").first).to_contain_text("Same")
    staff.page.set_viewport_size(PHONE)
    for name in ("scores", "members"):
        page.goto(re.sub(r"(scores|members)/.*", f"{name}/", page.url))
        staff.see(f"lti-{name}")
    page.goto(re.sub(r"\d+/members/", "", page.url))
    staff.see("lti-platform")
    for viewport in (PHONE, DESKTOP):
        newcomer(visit(viewport), canvas)


def test_a_forged_message_is_told_and_opens_nothing(visit, canvas):
    student = visit(PHONE)
    canvas.spoil = True
    try:
        page = come(student, canvas, "Ada Lindqvist", "ada@demo.gradlab.example", INSTRUCTOR)
        expect(page.get_by_text("was not accepted")).to_be_visible()
    finally:
        canvas.spoil = False
    student.see("lti-not-accepted")
    page.goto(f"{student.url}/o/cs498-sp26/")
    expect(page.get_by_label("E-mail address")).to_be_visible()
