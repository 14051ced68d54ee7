"""The grader health page beside a real worker: it proves itself, is drained and resumes, while the page renews itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_ta_watches_the_grader_drains_a_worker_and_resumes_it(visit, viewport):
    visitor = visit(viewport)
    page = visitor.sign_in("priya")
    page.get_by_role("link", name="Grader health").click()
    expect(page.locator("#health")).to_contain_text("In service", timeout=60_000)
    expect(page.locator("#health")).to_contain_text("Good", timeout=60_000)
    visitor.see("grader-health")
    page.get_by_role("button", name="Drain", exact=False).last.click()
    expect(page.locator("#messages")).to_contain_text("It finishes what it runs and takes nothing more.")
    expect(page.locator("#health")).to_contain_text("By Priya Raman.")
    visitor.see("grader-health-drained")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#messages")).to_contain_text("It takes jobs again.")


def test_an_open_trace_stays_open_while_the_page_renews_itself(visit):
    page = visit().sign_in("priya")
    page.get_by_role("link", name="Grader health").click()
    fault = page.locator(".fault").first
    fault.locator("summary").click()
    shown = page.locator("#health time").first.inner_text()
    expect(page.locator("#health time").first).not_to_have_text(shown, timeout=15_000)
    expect(fault.locator("pre")).to_be_visible()


def test_without_javascript_the_buttons_work_too(visit):
    page = visit(java_script_enabled=False).sign_in("ines")
    page.get_by_role("link", name="Grader health").click()
    page.get_by_role("button", name="Drain all workers").click()
    expect(page.locator("#health")).to_contain_text("Drained by Ines")
    page.get_by_role("button", name="Resume all workers").click()
    expect(page.get_by_role("button", name="Drain all workers")).to_be_visible()
