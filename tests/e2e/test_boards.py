"""A board of best results in a browser: a student joins on a phone and leaves again; staff take a name off, and its student reads why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from deploy.stack import ROOT
from tests.e2e.conftest import PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
DATA = Path(__file__).with_name("boards_data.py")


def test_joining_leaving_and_taking_a_name_off(stack, visit):
    done = subprocess.run(
        [sys.executable, str(DATA), "boards"],
        env=stack.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    board = "/o/boards/labs/kernels/boards/"

    student = visit(PHONE)
    page = student.sign_in("ada")
    page.goto(student.url + "/o/boards/labs/kernels/")
    page.get_by_role("link", name="Boards", exact=True).click()
    expect(page.get_by_role("heading", name="You are not on the boards")).to_be_visible()
    page.get_by_label("Your name on the boards").fill("Lane Change")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("Somebody is on these boards as “Lane Change” already.")).to_be_visible()
    assert page.get_by_label("Your name on the boards").input_value() == "Lane Change", "what was typed is kept"
    page.get_by_label("Your name on the boards").fill("Warp Nine")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", name="You are here as “Warp Nine”")).to_be_visible()
    student.see("boards-student")
    page.get_by_role("button", name="Leave, and delete").click()
    expect(page.get_by_role("heading", name="You are not on the boards")).to_be_visible()

    staff = visit()
    page = staff.sign_in("priya")
    page.goto(staff.url + board)
    rows = page.locator("tbody tr")
    assert [(row.split()[0], ", shared" in row) for row in rows.all_inner_texts()] == [
        ("1", True),
        ("1", True),
        ("3", False),
    ]
    staff.see("boards-staff")
    row = page.get_by_role("row").filter(has_text="Bank Conflict")
    row.get_by_text("Take off").click()
    row.get_by_label("Why; the student reads it").fill("It is the name of a paper's author.")
    row.get_by_role("button", name="Take the name off").click()
    expect(page.get_by_text("“Bank Conflict” is off.")).to_be_visible()

    hidden = visit()
    page = hidden.sign_in("noor")
    page.goto(hidden.url + board)
    expect(page.get_by_text("It is the name of a paper's author.")).to_be_visible()
    hidden.see("boards-hidden")
