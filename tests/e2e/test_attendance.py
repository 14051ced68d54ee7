"""Attendance in class: the screen, phones that type and that scan, a correction, points, the rule, and a student's own page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from deploy.demo import PASSWORD
from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
COURSE = "o/cs498-sp26"
LAST = "ZeRO-style data parallelism"  # of Tuesday 17 February, the day before the demo's
# who missed it, by the seed
TYPES, SCANS, ILL = "victor", "grace", "samuel"


def count_on(page) -> int:
    return int(page.locator(".screen-facts dd").first.inner_text().split()[0])


def scan_and_sign_in(scanner, code: str) -> None:
    """Scan the picture, sign in, and be checked in without another tap."""
    scanner.page.goto(f"{scanner.url}/{COURSE}/here/?code={code.replace(' ', '')}")
    scanner.page.get_by_label("E-mail address").fill(f"{SCANS}@demo.gradlab.example")
    scanner.page.get_by_label("Password").fill(PASSWORD)
    scanner.page.get_by_role("button", name="Sign in").click()
    expect(scanner.page.get_by_text("You are in.")).to_be_visible()


def lose_the_network(teacher) -> None:
    """A network that breaks is told on the screen, for what stands there may be old then; and it comes back by itself."""
    told = teacher.page.get_by_text("No connection")
    teacher.context.set_offline(True)
    expect(told).to_be_visible(timeout=20_000)
    teacher.context.set_offline(False)
    expect(told).to_be_hidden(timeout=20_000)
    teacher.troubles.clear()


def test_a_class_checks_in(visit):
    teacher = visit(DESKTOP)
    screen = teacher.sign_in("ines")
    screen.get_by_role("link", name="Attendance").click()
    expect(screen.get_by_role("heading", name="Attendance", level=1)).to_be_visible()
    teacher.see("attendance-grid")
    screen.get_by_role("link", name="Sessions").click()
    teacher.see("attendance-sessions")
    screen.get_by_role("link", name=LAST).click()
    screen.get_by_label("Minutes").fill("60")
    screen.get_by_role("button", name="Open the check-in").click()
    letters = screen.locator(".screen-letters")
    expect(letters).to_have_text(re.compile(r"^[A-Z]{3} [A-Z]{3}$"))
    teacher.see("attendance-screen")
    before, first = count_on(screen), letters.inner_text()

    lose_the_network(teacher)

    # one types the code
    phone = visit(PHONE)
    hand = phone.sign_in(TYPES)
    hand.goto(f"{phone.url}/{COURSE}/here/")
    hand.get_by_label("Code on the screen").fill("bcd fgh")
    hand.get_by_role("button", name="Check in").click()
    expect(hand.get_by_role("alert")).to_contain_text("not the code on the screen")
    expect(hand.get_by_label("Code on the screen")).to_have_value("bcd fgh")
    phone.see("attendance-here-wrong")
    hand.get_by_label("Code on the screen").fill(letters.inner_text().lower())
    hand.get_by_role("button", name="Check in").click()
    expect(hand.get_by_text("You are in.")).to_be_visible()
    phone.see("attendance-here-in")

    scan_and_sign_in(visit(PHONE), letters.inner_text())

    # the screen has followed both, and shows another code by now or soon
    expect(screen.locator(".screen-facts dd").first).to_have_text(re.compile(rf"^{before + 2} "))
    expect(letters).not_to_have_text(first, timeout=40_000)
    screen.get_by_role("button", name="5 minutes more").click()
    screen.get_by_role("button", name="Close now").click()
    expect(screen.get_by_text("The check-in is closed.")).to_be_visible()

    # a correction, with a reason
    screen.get_by_label("Okoro, Samuel").check()
    screen.get_by_label("Record those that are ticked as").select_option("excused")
    screen.get_by_label("Reason, which the student reads", exact=True).first.fill("Ill, with a note.")
    teacher.see("attendance-session")
    screen.get_by_role("button", name="Record", exact=True).click()
    expect(screen.get_by_text("1 record changed.")).to_be_visible()

    ill = visit(PHONE)
    own = ill.sign_in(ILL)
    own.goto(f"{ill.url}/{COURSE}/attendance/")
    expect(own.get_by_role("row").filter(has_text=LAST)).to_contain_text("“Ill, with a note.”")
    expect(own.get_by_role("row").filter(has_text=LAST)).to_contain_text("Excused")
    own.get_by_text("By which rule").click()
    expect(own.get_by_text("2 absences cost nothing")).to_be_visible()
    ill.see("attendance-record")
    own.set_viewport_size(DESKTOP)
    ill.see("attendance-record")


def test_points_are_given_in_class_and_withdrawn(visit):
    staff = visit(DESKTOP)
    page = staff.sign_in("priya")
    page.goto(f"{staff.url}/{COURSE}/attendance/points/")
    page.get_by_label("Reason, which the student reads").fill("Drew the ring all-reduce")
    page.get_by_label("Name or e-mail").press_sequentially("kofi")
    expect(page.locator("#found li")).to_have_count(1)  # the search has settled
    page.get_by_role("button", name="Give to Kofi Mensah").click()
    expect(page.get_by_text("Kofi Mensah has 1 more.")).to_be_visible()
    expect(page.get_by_label("Reason, which the student reads").first).to_have_value("Drew the ring all-reduce")
    page.get_by_label("Name or e-mail").press_sequentially("a")
    expect(page.get_by_role("button", name=re.compile("^Give to")).nth(3)).to_be_visible()
    staff.see("attendance-points")
    row = page.get_by_role("row").filter(has_text="Drew the ring all-reduce")
    row.get_by_text("Withdraw").first.click()
    row.get_by_label("Reason, for the log").fill("meant for somebody else")
    row.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("Withdrawn.")).to_be_visible()
    page.set_viewport_size(PHONE)
    staff.see("attendance-points")


def test_the_rule_changes_after_a_dry_run(visit):
    teacher = visit(DESKTOP)
    page = teacher.sign_in("ines")
    page.goto(f"{teacher.url}/{COURSE}/attendance/rules/")
    teacher.see("attendance-rules")
    page.get_by_label("Free absences").fill("0")
    page.get_by_role("button", name="Show what changes").click()
    expect(page.get_by_text(re.compile(r"The share of \d+ of 40 students changes\."))).to_be_visible()
    teacher.see("attendance-dry-run")
    page.get_by_label("Reason").fill("As the class agreed in the first session")
    page.get_by_role("button", name=re.compile("^Save")).click()
    expect(page.get_by_text("0 absences cost nothing")).to_be_visible()
    page.get_by_label("Free absences").fill("2")
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_label("Reason").fill("Back to what the syllabus says")
    page.get_by_role("button", name=re.compile("^Save")).click()
    expect(page.get_by_text("2 absences cost nothing")).to_be_visible()


def test_many_are_excused_in_advance_and_every_page_fits_a_phone(visit):
    staff = visit(PHONE)
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/{COURSE}/attendance/correct/")
    page.get_by_label("Sessions").select_option(
        [page.get_by_label("Sessions").locator("option").last.get_attribute("value")]
    )
    page.get_by_label("Record them as").select_option("excused")
    page.get_by_label("Or their e-mail addresses, one a line").fill(
        "ada@demo.gradlab.example\nkofi@demo.gradlab.example"
    )
    page.get_by_label("Reason").fill("The robotics final")
    staff.see("attendance-correct")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text("2 records changed.")).to_be_visible()
    staff.see("attendance-session-coming")
    for name in ("", "sessions/", "rules/"):
        page.goto(f"{staff.url}/{COURSE}/attendance/{name}")
        staff.see(f"attendance-{name.strip('/') or 'grid'}")
    page.get_by_role("link", name="Class", exact=True).click()
    page.get_by_role("link", name="Lindqvist, Ada").click()
    staff.see("attendance-student")
