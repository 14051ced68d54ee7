"""The story of a lab: a student works, runs checks and submits; a TA overrides; an instructor sees everyone."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deploy.sample import sample
from grader.api import notebook_from_cells
from tests.e2e.conftest import PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
LAB = Path(__file__).resolve().parents[2] / "labs" / "autodiff"
SUB = """@rule("sub")
def sub_vjp(cotangent, output, a, b):
    return cotangent, -cotangent
"""


def open_lab(page: Page) -> None:
    page.get_by_role("link", name="Labs", exact=True).first.click()
    page.get_by_role("link", name="Lab 1: AutoDiff").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lab 1: AutoDiff")


def editor_of(page: Page, text: str):
    """The code editor whose cell holds a text."""
    return page.locator("code-editor").filter(has_text=text).first.locator(".cm-content")


def write(page: Page, text: str, source: str) -> None:
    editor = editor_of(page, text)
    editor.scroll_into_view_if_needed()
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(source)


WATCH = """() => {
  window.seen = new Set();
  const look = () => window.seen.add(document.getElementById("progress")?.dataset.done);
  new MutationObserver(look).observe(document.getElementById("checks"), { subtree: true, childList: true, attributes: true });
}"""


def graded(page: Page) -> None:
    """Wait for the score; it comes without a reload."""
    expect(page.locator(".score")).to_be_visible(timeout=60_000)


def points_of(page: Page) -> float:
    return float(page.locator(".score").inner_text().split("/")[0])


def test_a_student_works_checks_and_submits(visit):
    visitor = visit()
    page = visitor.sign_in("grace")
    visitor.see("dashboard")
    open_lab(page)
    visitor.see("lab")
    expect(page.get_by_text("No attempt yet")).to_be_visible()

    write(page, "def sub_vjp", SUB)
    expect(page.locator("[data-save-text]")).to_have_text(re.compile(r"Saved \d\d:\d\d"))
    page.reload()
    expect(editor_of(page, "def sub_vjp")).to_contain_text("return cotangent, -cotangent")

    page.evaluate(WATCH)
    page.get_by_role("button", name="Run checks", exact=True).click()
    expect(page.locator("#progress[data-finished]")).to_be_visible(timeout=30_000)
    assert page.evaluate("window.seen.size") > 3, "the marks came one by one"
    checks = page.locator("#checks")
    expect(checks.locator(".mark-pass")).not_to_have_count(0)
    expect(checks).to_contain_text("Rule at a random shape: sub")
    expect(page.get_by_text("No attempt yet")).to_be_visible()
    visitor.see("lab-checked")

    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url("**/submissions/*/")
    expect(page.locator(".facts")).to_contain_text("on time")
    expect(page.locator(".facts").get_by_role("link")).to_contain_text("#")
    graded(page)
    assert 0 < points_of(page) < 100
    visitor.see("result")
    page.locator(".facts").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Receipt")
    visitor.see("receipt")


def test_a_failed_check_shows_expected_and_got_and_a_hint(visit, tmp_path):
    visitor = visit()
    page = visitor.sign_in("jin")
    open_lab(page)
    file = tmp_path / "mine.ipynb"
    file.write_bytes(sample())
    page.get_by_label("Your notebook, or one .py file").set_input_files(file)
    page.get_by_role("button", name="Submit it").click()
    page.wait_for_url("**/submissions/*/")
    graded(page)
    failed = page.locator("details.check[open]").first
    expect(failed).to_contain_text("broadcast_to")
    expect(failed.locator("table")).to_contain_text("expected", ignore_case=True)
    failed.get_by_role("link", name=re.compile("Handout")).click()
    expect(page.get_by_role("heading", name=re.compile(r"^1\.5"))).to_be_visible()


@pytest.mark.parametrize("kind", ["py", "zip"])
def test_other_kinds_of_files_are_graded_too(visit, tmp_path, kind):
    import nbformat

    notebook = nbformat.read(LAB / "notebook.ipynb", as_version=4)
    source = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    data = source.encode()
    if kind == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("autodiff/work.py", source)
        data = buffer.getvalue()
    file = tmp_path / f"work.{kind}"
    file.write_bytes(data)
    page = visit().sign_in("samuel" if kind == "py" else "elena")
    open_lab(page)
    page.get_by_label("Your notebook, or one .py file").set_input_files(file)
    page.get_by_role("button", name="Submit it").click()
    page.wait_for_url("**/submissions/*/")
    graded(page)
    assert points_of(page) > 97


def test_a_refusal_says_why_costs_nothing_and_keeps_the_text(visit, tmp_path):
    visitor = visit()
    page = visitor.sign_in("maya")
    open_lab(page)
    before = page.locator("#attempts").inner_text()
    write(page, "def sub_vjp", "import torch\n" + SUB)
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.locator("#refusal")).to_contain_text("imports torch")
    expect(editor_of(page, "def sub_vjp")).to_contain_text("import torch")
    assert page.locator("#attempts").inner_text() == before
    visitor.see("lab-refused")
    bad = tmp_path / "broken.ipynb"
    bad.write_text('{"cells": [')
    page.get_by_label("Your notebook, or one .py file").set_input_files(bad)
    page.get_by_role("button", name="Submit it").click()
    expect(page.locator("#refusal")).to_contain_text("broken or cut off")


def test_an_override_is_seen_once_it_is_released(visit):
    student = visit()
    page = student.sign_in("victor")
    open_lab(page)
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url("**/submissions/*/")
    graded(page)
    address, before = page.url, points_of(page)

    ta = visit()
    desk = ta.sign_in("priya")
    ta.see("dashboard-staff")
    desk.goto(address)
    ta.see("result-staff")
    form = desk.locator("details.override").first
    form.locator("summary").click()
    form.get_by_label(re.compile("^Score of")).fill("7.5")
    form.get_by_label(re.compile("^Reason")).fill("The rules on paper are right.")
    form.get_by_role("button", name="Set score").click()
    expect(desk.get_by_text("not shown to Victor Petrov yet")).to_be_visible()

    page.reload()
    assert points_of(page) == before
    expect(page.get_by_text("The rules on paper are right.")).to_have_count(0)

    desk.get_by_role("button", name=re.compile("^Release")).click()
    page.reload()
    assert points_of(page) == before + 7.5
    expect(page.get_by_text("The rules on paper are right.")).to_be_visible()
    student.see("result-overridden")


def test_an_instructor_sees_everyones_scores(visit):
    visitor = visit()
    page = visitor.sign_in("ines")
    page.get_by_role("link", name="Scores").first.click()
    expect(page.get_by_role("region", name="Scores of students").locator("tbody tr")).to_have_count(40)
    visitor.see("scores")
    page.get_by_role("link", name="People").first.click()
    visitor.see("people")


def test_without_javascript_everything_still_works(visit, tmp_path):
    visitor = visit(java_script_enabled=False)
    page = visitor.sign_in("katarina")
    open_lab(page)
    file = tmp_path / "mine.ipynb"
    file.write_bytes(notebook_from_cells(LAB, {"sub": SUB}))
    page.get_by_label("Your notebook, or one .py file").set_input_files(file)
    page.get_by_role("button", name="Submit it").click()
    page.wait_for_url("**/submissions/*/")
    for _ in range(60):
        if page.locator(".score").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    assert points_of(page) > 0
    page.go_back()
    open_lab(page)
    page.get_by_role("button", name="Run checks", exact=True).click()
    expect(page.locator("#progress")).to_be_visible()


def test_where_event_streams_are_cut_the_page_asks_instead(visit):
    visitor = visit()
    page = visitor.sign_in("bilal")
    page.route("**/events/", lambda route: route.abort())
    open_lab(page)
    page.get_by_role("button", name="Submit", exact=True).click()
    page.wait_for_url("**/submissions/*/")
    graded(page)
    visitor.troubles = [t for t in visitor.troubles if "ERR_FAILED" not in t and "events" not in t]


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
def test_every_page_is_fit_to_be_shown(visit, viewport):
    visitor = visit(viewport) if viewport else visit()
    visitor.page.goto(visitor.url)
    visitor.see("sign-in")
    page = visitor.sign_in("ada")
    for name, path in {
        "dashboard-ada": "/o/cs498-sp26/",
        "labs": "/o/cs498-sp26/labs/",
        "lab-ada": "/o/cs498-sp26/labs/autodiff/",
        "attempts": "/o/cs498-sp26/labs/autodiff/attempts/",
        "schedule": "/o/cs498-sp26/schedule/",
        "readings": "/o/cs498-sp26/readings/",
        "grades": "/o/cs498-sp26/grades/",
        "guide": "/guides/student/",
        "not-found": "/o/nowhere/",
    }.items():
        page.goto(visitor.url + path)
        visitor.see(name)
    page.goto(f"{visitor.url}/o/cs498-sp26/labs/autodiff/attempts/")
    page.locator("main a[href*='/submissions/']").last.click()
    visitor.see("result-ada")


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["desktop", "phone"])
def test_every_staff_page_is_fit_to_be_shown(visit, viewport):
    visitor = visit(viewport) if viewport else visit()
    page = visitor.sign_in("ines")
    for name, path in {
        "dashboard-ines": "/o/cs498-sp26/",
        "scores-ines": "/o/cs498-sp26/scores/",
        "people-ines": "/o/cs498-sp26/people/",
        "submissions": "/o/cs498-sp26/labs/autodiff/submissions/",
        "lab-ines": "/o/cs498-sp26/labs/autodiff/",
        "patterns": "/patterns/",
    }.items():
        page.goto(visitor.url + path)
        visitor.see(name)
