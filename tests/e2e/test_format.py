"""The format report in a browser: it comes while one looks, marks places on the pages, and works on a phone and without scripts."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from deploy.stack import ROOT
from tests.e2e.conftest import PHONE
from tests.papers import A4, paper

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
DATA = Path(__file__).with_name("format_data.py")


@pytest.fixture
def report(stack) -> Callable[[str, str], str]:
    """`report("f1", "broken")`: the address of the format report of a PDF that was handed in just now."""

    def make(slug: str, kind: str) -> str:
        command = [sys.executable, str(DATA), slug, kind]
        done = subprocess.run(command, env=stack.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return stack.url + done.stdout.strip()

    return make


def test_a_report_with_findings(visit, report):
    maya = visit()
    page = maya.sign_in("maya")
    started = time.monotonic()
    page.goto(report("format-1", "broken"))
    expect(page.get_by_role("heading", name="Findings")).to_be_visible(timeout=30_000)
    assert time.monotonic() - started < 30
    expect(page.locator(".format-state")).to_contain_text("Look at: Page size, Content pages")
    findings = page.locator(".finding h3")
    titles = [title.split("\n")[0].strip() for title in findings.all_inner_texts()]
    assert titles[0] == "Page size"
    assert {
        "Content pages",
        "Text in the margins",
        "Abstract's form",
        "Names under the title",
        "Mail addresses",
    } <= set(titles)
    over = page.locator("#overfull")
    expect(over).to_contain_text("2 places on pages 3, 5")
    picture = over.locator("img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 500
    frame, mark = over.locator(".paper-picture").first.bounding_box(), over.locator("rect").first.bounding_box()
    assert frame["x"] + 0.6 * frame["width"] < mark["x"] < frame["x"] + frame["width"], (
        "the mark stands in the right margin"
    )
    row = page.get_by_role("row", name="Evaluation method and results")
    expect(row).to_contain_text("6 Evaluation")
    expect(page.get_by_role("row", name="Related work")).to_contain_text("none")
    page.locator("details.disclose > summary").click()
    for one in page.locator("img").all():
        one.scroll_into_view_if_needed()
    maya.see("format-broken")


def test_a_report_as_asked_for_staff_on_a_phone(visit, report):
    priya = visit(PHONE)
    page = priya.sign_in("priya")
    page.goto(report("format-2", "conforming"))
    expect(page.locator(".format-state")).to_contain_text("10 pages, all as asked.", timeout=30_000)
    priya.see("format-conforming")
    jin = visit(PHONE)
    seen = jin.sign_in("jin")
    seen.goto(report("format-3", "broken"))
    expect(seen.get_by_role("heading", name="Findings")).to_be_visible(timeout=30_000)
    jin.see("format-broken")


def test_a_pdf_that_cannot_be_read_and_slides(visit, report):
    maya = visit()
    page = maya.sign_in("maya")
    page.goto(report("format-4", "locked"))
    expect(page.locator(".format-state")).to_contain_text("protected by a password", timeout=30_000)
    maya.see("format-refused")
    page.goto(report("format-5", "slides"))
    expect(page.locator(".format-state")).to_contain_text("9 pages, all as asked.", timeout=30_000)
    expect(page.locator("#format")).not_to_contain_text("Recommended")
    maya.see("format-slides")


def test_from_the_upload_to_the_report(visit, report):
    maya = visit()
    page = maya.sign_in("maya")
    page.goto(report("format-7", "open"))
    pdf = {"name": "final.pdf", "mimeType": "application/pdf", "buffer": paper(abstract="", page=A4)}
    page.locator("#pdf").set_input_files(pdf)
    page.get_by_role("button", name="for the team").click()
    page.wait_for_url("**/deliverables/*/")
    line = page.locator(".format-line")
    expect(line).to_contain_text("10 pages. Look at: Page size, Abstract.", timeout=30_000)
    maya.see("format-line")
    line.get_by_role("link", name="Format report").click()
    expect(page.get_by_role("heading", name="Format of final.pdf")).to_be_visible()
    page.get_by_role("link", name="attempt 1").click()
    page.wait_for_url("**/deliverables/*/")
    jin = visit()
    seen = jin.sign_in("jin")
    seen.goto(page.url)
    expect(seen.locator(".format-line")).to_contain_text("Look at: Page size, Abstract.")


def test_without_scripts_the_page_loads_itself_again(visit, report):
    maya = visit(java_script_enabled=False)
    page = maya.sign_in("maya")
    page.goto(report("format-6", "conforming"))
    expect(page.locator(".format-state")).to_contain_text("10 pages, all as asked.", timeout=40_000)
