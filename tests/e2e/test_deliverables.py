"""A deliverable in the browser, from the form that asks for it to the score that a teammate sees; then the same pages on a phone."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import DESKTOP, PHONE
from web.seed.pdf import pdf_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
TITLE = "Project outline"
PDF = {"name": "outline.pdf", "mimeType": "application/pdf", "buffer": pdf_of("An outline", ["What we do, and why."])}


def packed(name: str) -> dict[str, object]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "print(1)\n")
    return {"name": "code.zip", "mimeType": "application/zip", "buffer": buffer.getvalue()}


def added(visit):
    """An instructor describes a deliverable; what is wrong with it comes back with what was typed."""
    staff = visit(DESKTOP)
    page = staff.sign_in("ines")
    page.get_by_role("link", name="Deliverables").click()
    staff.see("deliverables-list")
    page.get_by_role("link", name="Add a deliverable").click()
    page.get_by_label("Title").fill(TITLE)
    page.get_by_label("Stage").select_option(label="Proposal")
    page.get_by_label("Opens").fill("2026-02-10T09:00:00")
    page.get_by_label("Due", exact=True).fill("2026-02-09T23:59:59")
    page.get_by_label("Instructions").fill("Say **what** you do, in at most $n = 1$ page.")
    page.get_by_role("button", name="Add to the list").click()
    expect(page.locator("form.form-deliverable")).to_contain_text("It would be due before it opens")
    expect(page.get_by_label("Instructions")).to_have_value(re.compile("what"))
    staff.see("deliverable-form")
    page.get_by_label("Due", exact=True).fill("2026-02-25T23:59:59")
    page.get_by_role("button", name="Add to the list").click()
    expect(page.locator("#messages")).to_contain_text("is on the list")
    staff.see("deliverable-overview")
    return staff


def handed_in(visit, viewport) -> str:
    """A student hands in for the team; a wrong file costs nothing, and the files stay chosen."""
    student = visit(viewport)
    page = student.sign_in("ada")
    page.goto(f"{student.url}/o/cs498-sp26/project/")
    expect(page.locator("table").filter(has_text=TITLE)).to_be_visible()
    student.see("project-with-deliverables")
    page.get_by_role("link", name=TITLE).click()
    page.wait_for_load_state()  # with its scripts: a plain form would forget the files
    page.locator("#pdf").set_input_files(PDF)
    page.locator("#code").set_input_files(packed("../up.py"))
    page.get_by_label("address of your repository").fill("https://git.example.edu/ring/reducers")
    page.get_by_role("button", name="for the team").click()
    expect(page.locator("#refusal")).to_contain_text("“../up.py”, which lies outside of the archive")
    student.see("deliverable-refused")
    assert page.locator("#pdf").evaluate("input => input.files.length") == 1
    page.locator("#code").set_input_files(packed("run.py"))
    page.get_by_role("button", name="for the team").click()
    page.wait_for_url("**/deliverables/*/")
    expect(page.locator("#messages")).to_contain_text("Handed in for Ring Reducers")
    expect(page.get_by_role("link", name="https://git.example.edu/ring/reducers")).to_be_visible()
    student.see("deliverable-submission")
    page.get_by_role("link", name="Open the deliverable").click()
    student.see("deliverable-page")
    return str(page.get_by_role("link", name=re.compile("Attempt")).first.get_attribute("href"))


def test_a_deliverable_goes_from_the_form_to_a_teammates_score(visit):
    staff = added(visit)
    submission = handed_in(visit, DESKTOP)
    mate = visit(DESKTOP)
    seen = mate.sign_in("kofi")
    seen.goto(mate.url + submission)
    expect(seen.locator("main")).to_contain_text("Ring Reducers")
    seen.get_by_role("link", name=re.compile("^#")).click()
    expect(seen.locator(".receipt")).to_contain_text("Ada Lindqvist, Kofi Mensah, Yuki Tanaka")
    mate.see("deliverable-receipt")

    # the due moment passes, because the instructor moves it
    page = staff.page
    page.goto(f"{staff.url}/o/cs498-sp26/project/deliverables/project-outline/edit/")
    page.get_by_label("Due", exact=True).fill("2026-02-18T12:00:00")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("1 submission was handed in")
    page.get_by_role("button", name="Save, and change these dates").click()
    expect(page.locator("#messages")).to_contain_text("is saved")

    grader = visit(DESKTOP)
    desk = grader.sign_in("priya")
    desk.goto(f"{grader.url}/o/cs498-sp26/queue/project-outline/")
    desk.get_by_role("button", name="Grade next").click()
    expect(desk.locator("iframe.desk-pdf")).to_have_attribute("src", re.compile("/pdf/#"))
    expect(desk.locator("main")).not_to_contain_text("Ring Reducers")
    expect(desk.locator("main")).not_to_contain_text("git.example.edu")
    grader.see("deliverable-desk")
    desk.get_by_role("button", name=re.compile("Names")).click()
    expect(desk.locator("#desk-title")).to_contain_text("Ring Reducers: Ada Lindqvist, Kofi Mensah, Yuki Tanaka")
    for item in desk.locator(".desk-item").all():
        item.locator("label", has_text="Convincing").click()
    desk.get_by_role("button", name=re.compile("Save and next")).click()
    expect(desk.locator("#messages")).to_contain_text("Nothing is left for you here")

    page.goto(f"{staff.url}/o/cs498-sp26/assignments/project-outline/release/")
    page.get_by_role("button", name=re.compile("^Release")).click()
    seen.goto(mate.url + submission)
    expect(seen.locator(".score")).to_contain_text("20 / 20")
    seen.get_by_text("Ask for another look at this score").click()
    seen.get_by_label(re.compile("Why")).fill("The plan names a fourth month, and the comment says three.")
    mate.see("deliverable-released")


def test_on_a_phone(visit):
    student = visit(PHONE)
    page = student.sign_in("mateo")
    page.goto(f"{student.url}/o/cs498-sp26/project/proposal/")
    student.see("deliverable-page")
    page.locator("#pdf").set_input_files({**PDF, "name": "notes.docx"})
    expect(page.locator(".file-list").first).to_contain_text("only .pdf is taken here")
    page.locator("#pdf").set_input_files(PDF)
    page.get_by_role("button", name="for the team").click()
    page.wait_for_url("**/deliverables/*/")
    student.see("deliverable-submission")
    lone = visit(PHONE)
    alone = lone.sign_in("grace")  # whom no other test of this site puts into a team
    alone.goto(f"{lone.url}/o/cs498-sp26/project/proposal/")
    expect(alone.locator("main")).to_contain_text("You are in no team yet")
    lone.see("deliverable-alone")
    staff = visit(PHONE)
    listed = staff.sign_in("priya")
    listed.goto(f"{staff.url}/o/cs498-sp26/project/deliverables/")
    staff.see("deliverables-list")
    listed.get_by_role("link", name="Project proposal").click()
    staff.see("deliverable-overview")
