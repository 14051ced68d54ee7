"""Teams in a browser: formed and joined on a phone, arranged by staff with pointer, keys and a file, and told to whom it concerns."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
DOMAIN = "demo.gradlab.example"
COURSE = "o/cs498-sp26"


def card(page: Page, name: str):
    return page.locator("[data-team]").filter(has=page.get_by_role("heading", name=name, exact=True))


def drag(page: Page, student: str, team: str) -> None:
    """As a hand does: press, move in steps, let go."""
    handle = page.locator(".team-member", has_text=student).locator("[data-handle]")
    target = card(page, team)
    handle.scroll_into_view_if_needed()
    start = handle.bounding_box()
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    end = target.bounding_box()
    page.mouse.move(end["x"] + 40, end["y"] + 20, steps=8)
    page.mouse.up()


def test_students_find_each_other_and_staff_arrange_the_rest(visit):
    leila, bilal, maya = visit(PHONE), visit(PHONE), visit(DESKTOP)
    forms_a_team(leila)
    accepts(bilal)
    asks_from_the_board(maya, leila)
    staff = visit(DESKTOP)
    drags(staff)
    is_told(maya)


def forms_a_team(leila) -> None:
    """One forms a team and invites a classmate by name."""
    page = leila.sign_in("leila")
    expect(page.get_by_text("You are in no team for the project yet.")).to_be_visible()
    page.goto(f"{leila.url}/{COURSE}/project/")
    leila.see("project-without-team")
    page.get_by_label("Name of the team").fill("paged out")
    page.get_by_label("Topic").fill("Speculative decoding on one card")
    page.get_by_role("button", name="Form the team").click()
    expect(page.get_by_text("Another team is called “paged out” already")).to_be_visible()
    expect(page.get_by_label("Topic")).to_have_value("Speculative decoding on one card")
    page.get_by_label("Name of the team").fill("Draft Horses")
    page.get_by_label("Kind of project").select_option(label="System optimizations")
    page.get_by_role("button", name="Form the team").click()
    expect(page.locator("#messages")).to_contain_text("“Draft Horses” is formed")
    page.get_by_label("Name or e-mail address of a classmate").fill("khan, bilal")
    page.get_by_role("button", name="Invite").click()
    expect(page.locator("#messages")).to_contain_text("Bilal Khan is invited")
    leila.see("project-own")


def accepts(bilal) -> None:
    """The classmate sees it on the overview."""
    page = bilal.sign_in("bilal")
    page.get_by_role("link", name="Open your project").click()
    bilal.see("project-invited")
    page.get_by_role("button", name=re.compile("^Join.*Draft Horses")).click()
    expect(page.locator("#messages")).to_contain_text("You are in the team “Draft Horses” now")


def asks_from_the_board(maya, leila) -> None:
    """A third asks to be taken, and a member says yes."""
    page = maya.sign_in("maya")
    page.goto(f"{maya.url}/{COURSE}/project/board/")
    maya.see("board-teams")
    page.get_by_role("button", name=re.compile("^Ask to join.*Draft Horses")).click()
    expect(page.locator("#messages")).to_contain_text("You have asked “Draft Horses”")
    page = leila.page
    page.goto(f"{leila.url}/{COURSE}/project/board/?show=people")
    leila.see("board-people")
    page.goto(f"{leila.url}/{COURSE}/project/")
    page.get_by_role("button", name=re.compile("^Take into.*Maya Goldberg")).click()
    expect(page.locator("#messages")).to_contain_text("Maya Goldberg is in the team “Draft Horses” now")


def drags(staff) -> None:
    """Staff drag one of them to another team, put back, and drag again."""
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/{COURSE}/teams/")
    staff.see("teams")
    drag(page, "Maya Goldberg", "Lone Kernel")
    expect(card(page, "Lone Kernel")).to_contain_text("Maya Goldberg")
    expect(card(page, "Lone Kernel").get_by_text("Too small")).to_be_hidden()
    expect(page.locator("#announce")).to_have_text("Maya Goldberg: Lone Kernel. Press Move to store it.")
    staff.see("teams-dragged")
    page.get_by_role("button", name="Put back").click()
    expect(card(page, "Draft Horses")).to_contain_text("Maya Goldberg")
    drag(page, "Maya Goldberg", "Lone Kernel")
    page.get_by_label("Why, which they read").fill("You both like profilers.")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("1 student moved. Each of them is told.")
    expect(card(page, "Lone Kernel")).to_contain_text("Maya Goldberg")


def is_told(maya) -> None:
    """Who was moved is told, once."""
    page = maya.page
    page.goto(f"{maya.url}/{COURSE}/project/")
    expect(page.get_by_text("put you into the team “Lone Kernel”")).to_be_visible()
    expect(page.get_by_text("You both like profilers.")).to_be_visible()
    maya.see("project-moved")
    page.get_by_role("button", name="Got it").click()
    expect(page.get_by_text("put you into the team")).to_have_count(0)


def test_staff_arrange_by_keys_and_by_a_file(visit):
    staff = visit(DESKTOP)
    page = staff.sign_in("priya")
    page.goto(f"{staff.url}/{COURSE}/teams/")
    # the same as dragging, without a pointer: a box, a place, a button
    box = page.get_by_role("checkbox", name="Katarina Horvat")
    box.focus()
    page.keyboard.press("Space")
    page.get_by_label("The chosen students go to").focus()
    page.keyboard.type("Half a Bit")
    page.get_by_role("button", name="Move", exact=True).focus()
    page.keyboard.press("Enter")
    # that team is full, so it needs an exception
    reason = page.get_by_label("Why “Half a Bit” may have 4 members")
    expect(reason).to_be_visible()
    staff.see("teams-exception")
    reason.fill("Her topic is theirs.")
    page.get_by_role("button", name="Move 1 student").click()
    expect(card(page, "Half a Bit")).to_contain_text("Exception: Her topic is theirs.")

    page.goto(f"{staff.url}/{COURSE}/teams/import/")
    staff.see("teams-import")
    wrong = f"Name,Group\nJin Watanabe,Night Owls\nNobody Here,Night Owls\nkofi@{DOMAIN},\n"
    send(page, wrong)
    expect(page.get_by_text("Row 3: “Nobody Here” is no student of this course.")).to_be_visible()
    staff.see("teams-file-wrong")
    page.goto(f"{staff.url}/{COURSE}/teams/import/")
    send(page, "Name,Group\nJin Watanabe,Night Owls\n")
    staff.see("teams-file")
    page.get_by_role("button", name="Move 1 student").click()
    expect(card(page, "Night Owls")).to_contain_text("Too small: 1 of at least 2")
    page.get_by_role("link", name="Night Owls").click()
    expect(page.get_by_role("heading", name="Night Owls")).to_be_visible()
    staff.see("team")

    phone = visit(PHONE)
    page = phone.sign_in("ines")
    page.goto(f"{phone.url}/{COURSE}/teams/?only=problems")
    page.get_by_role("checkbox", name="Jin Watanabe").check()
    phone.see("teams-phone")
    page.goto(f"{phone.url}/{COURSE}/teams/rules/")
    phone.see("team-rules")


def test_without_scripts_every_act_is_a_form(visit):
    staff = visit(DESKTOP, java_script_enabled=False)
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/{COURSE}/teams/")
    expect(page.locator("[data-handle]").first).to_be_hidden()
    page.get_by_role("checkbox", name="Samuel Okoro").check()
    page.get_by_label("The chosen students go to").select_option(label="A new team, called …")
    page.get_by_label("Name of a new team").fill("Solo Flight")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(card(page, "Solo Flight")).to_contain_text("Samuel Okoro")


def send(page: Page, text: str) -> None:
    file = {"name": "teams.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Show what would change").click()
