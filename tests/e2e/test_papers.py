"""A published table in a browser: from the reading list to the figure, a knob turned, the same as numbers, on a phone as well."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from mlsys_core.papers.studies import STUDIES
from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_a_student_turns_a_knob_and_the_figure_follows(visit):
    student = visit()
    page = student.sign_in("ada")
    page.goto(f"{student.url}/o/cs498-sp26/readings/")
    page.get_by_role("link", name="Published tables").click()
    student.see("studies")
    page.get_by_role("link", name="ZeRO", exact=False).click()
    expect(page.get_by_text("7.5 billion parameters fit into 80 GB")).to_be_visible()
    page.get_by_label("Parameters, 10⁹").fill("1000")
    expect(page.get_by_text("1000 billion parameters fit into 80 GB a device from 256 devices on")).to_be_visible()
    expect(page).to_have_url(re.compile("billions=1000"))
    page.get_by_text("The same as numbers").click()
    expect(page.get_by_role("rowheader", name="and parameters").first).to_be_visible()
    student.see("study-zero-open")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_table_is_fit_to_be_seen(visit, viewport):
    student = visit(viewport)
    page = student.sign_in("ada")
    for study in STUDIES:
        page.goto(f"{student.url}/o/cs498-sp26/papers/{study.slug}/")
        student.see(f"study-{study.slug}")
