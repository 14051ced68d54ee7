"""From the schedule to a topic, to its module and to a line of it, in a browser; every kind of page fit to be seen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_student_goes_from_the_schedule_to_a_line_of_the_library(visit, viewport):
    student = visit(viewport)
    page = student.sign_in("ada")
    page.goto(f"{student.url}/o/cs498-sp26/schedule/")
    student.see("schedule-topics")
    page.get_by_role("link", name="ZeRO-style data parallelism").click()
    expect(page.get_by_role("heading", name="ZeRO-style data parallelism", level=1)).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("ZeRO: Memory Optimizations")).first).to_be_visible()
    student.see("topic-zero")
    page.get_by_role("link", name="sharded.py").first.click()
    expect(page.get_by_text("Idea", exact=True)).to_be_visible()
    page.get_by_role("link", name=re.compile("^class ")).first.click()
    expect(page).to_have_url(re.compile(r"sharded\.py#L\d+$"))
    expect(page.locator(".line:target")).to_be_in_viewport()
    student.see("source-file")


PAGES = {
    "topic-autodiff": "topics/autodiff/",
    "library": "library/",
    "topic-vector-db": "topics/vector-db/",
    "library-page": "library/pages/memory-and-precision/",
    "source-package": "library/source/mlsys_core/parallelism",
}


@pytest.mark.parametrize(
    ("viewport", "names"), [(DESKTOP, list(PAGES)[:2]), (PHONE, list(PAGES))], ids=["desktop", "phone"]
)
def test_topics_with_labs_and_without_and_the_library_are_fit_to_be_seen(visit, viewport, names):
    """On a phone all of them, which are narrow there; on a desktop those that have two columns or a wide table."""
    student = visit(viewport)
    page = student.sign_in("ada")
    for name in names:
        page.goto(f"{student.url}/o/cs498-sp26/{PAGES[name]}")
        student.see(name)


def test_all_of_it_works_without_javascript(visit):
    student = visit(java_script_enabled=False)
    page = student.sign_in("ada")
    page.goto(f"{student.url}/o/cs498-sp26/schedule/")
    page.get_by_role("link", name="PagedAttention", exact=True).click()
    page.get_by_role("link", name="blocks.py", exact=True).first.click()
    page.get_by_role("link", name="class BlockManager").first.click()
    expect(page.locator(".line:target")).to_contain_text("class BlockManager")
    page.get_by_role("link", name="mlsys_core.serving.pool").click()
    expect(page.get_by_role("heading", name="pool.py")).to_be_visible()
