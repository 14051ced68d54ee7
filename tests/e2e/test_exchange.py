"""Import and export in a browser: a roster brings an instructor, who sets a password by the mailed link, sends grades to Canvas and
copies the course to the next term."""

from __future__ import annotations

import csv
import io
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deploy.stack import Stack
from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
HERE = "/o/cs498-sp26/exchange/"
ROSTER = """Name;E-mail;Role;Section;Wer
Uma Okafor;uma@demo.gradlab.example;instructor;;x
Lindqvist, Ada;ada@demo.gradlab.example;student;CS 498 C;x
Broken Line;nobody@;student;;x
"""


def downloaded(page: Page, name: str) -> list[list[str]]:
    with page.expect_download() as started:
        page.get_by_role("button" if name == "File for Canvas" else "link", name=name).click()
    return list(csv.reader(io.StringIO(Path(started.value.path()).read_text(encoding="utf-8-sig"))))


def link_in_the_mail(stack: Stack) -> str:
    """From where mails are printed that no server takes."""
    for _ in range(80):
        if found := re.findall(r"(/password/[\w-]+/[\w-]+/)", stack.log("sweeper", size=40_000)):
            return found[-1]
        time.sleep(0.5)
    raise AssertionError("no mail came")


def test_a_new_instructor_comes_by_roster_sends_grades_and_copies_the_course(visit, stack):
    staff = visit()
    page = staff.sign_in("ines")
    page.get_by_role("link", name="Import and export").click()
    staff.see("exchange")
    page.get_by_role("link", name="Send a roster").click()
    staff.see("roster")
    page.get_by_label("CSV file").set_input_files(
        {"name": "roster.csv", "mimeType": "text/csv", "buffer": ROSTER.encode("latin-1")}
    )
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("alert")).to_contain_text("Row 4: “nobody@” is no e-mail address.")
    expect(page.get_by_role("row").filter(has_text="uma@")).to_contain_text("Instructor")
    expect(page.get_by_role("row").filter(has_text="ada@")).to_contain_text("→ CS 498 C")
    staff.see("roster-preview")
    page.get_by_role("button", name="Apply the roster").click()
    expect(page.locator("#messages")).to_contain_text(
        "1 added, 1 changed, 0 dropped. Mailed a link to set a password: 1."
    )

    newcomer = visit()
    its = newcomer.page
    its.goto(newcomer.url + link_in_the_mail(stack))
    newcomer.see("password-set")
    its.get_by_label("New password", exact=True).fill("walks-of-the-graph")
    its.get_by_label("New password confirmation").fill("walks-of-the-graph")
    its.get_by_role("button", name="Set the password").click()
    expect(its.locator("#messages")).to_contain_text("Your password is set")
    its.get_by_label("E-mail address").fill("uma@demo.gradlab.example")
    its.get_by_label("Password").fill("walks-of-the-graph")
    its.get_by_role("button", name="Sign in").click()
    its.wait_for_url("**/o/cs498-sp26/")

    its.goto(f"{newcomer.url}{HERE}")
    plain = downloaded(its, "Grades as CSV")
    its.get_by_role("link", name="Choose columns").click()
    expect(its.get_by_text("2 students cannot be sent")).to_be_visible()
    newcomer.see("canvas")
    head, points, *rows = downloaded(its, "File for Canvas")
    assert head[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert "Lab 1: AutoDiff (4711)" in head
    assert points[0].strip() == "Points Possible"
    place = head.index("Lab 1: AutoDiff (4711)")
    at = plain[0].index("Lab 1: AutoDiff: points")
    # everyone with an ID, with the numbers of the plain table; who handed in nothing yet has none in either
    ours = {row[plain[0].index("LMS ID")]: row[at] for row in plain[1:] if row[plain[0].index("LMS ID")]}
    assert {row[1]: row[place] for row in rows} == ours
    assert sum(bool(value) for value in ours.values()) > 20

    copies(newcomer)


def copies(newcomer) -> None:
    its = newcomer.page
    its.goto(f"{newcomer.url}{HERE}")
    its.get_by_role("link", name="Copy to another term").click()
    its.get_by_label("Term").fill("Fall 2026")
    its.get_by_label("Address").fill("cs498-fa26")
    its.get_by_label("First class day").fill("2026-08-25")
    its.locator("#id_ends_on").fill("2026-12-17")
    its.get_by_label("Break").first.fill("Fall break")
    its.locator("#id_break_0_from").fill("2026-11-21")
    its.locator("#id_break_0_to").fill("2026-11-29")
    its.get_by_role("button", name="Show the dates").click()
    due = its.get_by_label("When Lab 1: AutoDiff is due")
    expect(due).to_have_value("2026-09-25T23:59:59")
    newcomer.see("copy")
    due.fill("2026-09-28T23:59:59")
    its.get_by_role("button", name="Make the copy").click()
    its.wait_for_url("**/o/cs498-fa26/")
    expect(its.locator("#messages")).to_contain_text("This is the copy")
    newcomer.see("copied-dashboard")
    its.goto(f"{newcomer.url}/o/cs498-fa26/labs/")
    expect(its.locator("main")).to_contain_text("AutoDiff")
    its.goto(f"{newcomer.url}/o/cs498-fa26/people/")
    expect(its.locator("main")).to_contain_text("Okafor, Uma")
    expect(its.locator("main")).not_to_contain_text("Lindqvist")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_other_pages_are_looked_at(visit, viewport):
    staff = visit(viewport)
    page = staff.sign_in("ines")
    for name, path in (
        ("points", "points/"),
        ("transcripts", "transcripts/"),
        ("copy-empty", "copy/"),
        ("roster-form", "roster/"),
        ("canvas-page", "canvas/"),
    ):
        page.goto(f"{staff.url}{HERE}{path}")
        staff.see(name)
    page.goto(f"{staff.url}{HERE}transcripts/")
    page.get_by_role("link", name="Lindqvist, Ada").click()
    expect(page.get_by_role("heading", name="Ada Lindqvist")).to_be_visible()
    staff.see("transcript")
    page.goto(f"{staff.url}{HERE}points/")
    export = "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,late_submission_penalty,score,max_score\n"
    lines = "autodiff,,2026-02-01,ada,Lindqvist,Ada,,9,1,8,10\nps9,,2026-02-01,kofi,Mensah,Kofi,,9,0,9,10\n"
    page.get_by_label("The CSV file").set_input_files(
        {"name": "grades.csv", "mimeType": "text/csv", "buffer": (export + lines).encode()}
    )
    page.get_by_role("button", name="Show who gets what").click()
    expect(page.locator("main")).to_contain_text("8 of 10")
    staff.see("points-preview")
    page.goto(f"{staff.url}/password/")
    staff.see("password-ask")


def test_a_transcript_is_printed_on_either_paper(visit):
    """As a PDF, the way in which people keep it."""
    staff = visit()
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}{HERE}transcripts/")
    page.get_by_role("link", name="Lindqvist, Ada").click()
    page.emulate_media(media="print")
    expect(page.locator(".rail")).to_be_hidden()
    expect(page.get_by_text("choose “Save as PDF”")).to_be_hidden()
    for paper in ("A4", "Letter"):
        assert page.pdf(format=paper).startswith(b"%PDF-")
