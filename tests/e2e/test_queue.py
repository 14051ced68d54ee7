"""The review queue in a browser: thirty summaries by the keyboard alone, two TAs at once, two who meet, undo, a phone, no JavaScript."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deploy.stack import ROOT
from tests.e2e.conftest import PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
DATA = Path(__file__).with_name("queue_data.py")
MOST_KEYS = 9


@pytest.fixture
def class_of(stack) -> Callable[[str, int], str]:
    """`class_of("q1", 30)`: the address of a queue with 30 summaries."""

    def make(slug: str, students: int) -> str:
        command = [sys.executable, str(DATA), slug, str(students)]
        done = subprocess.run(command, env=stack.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return f"{stack.url}/o/{slug}/queue/r1/"

    return make


class Keyboard:
    """Presses keys, and counts them."""

    def __init__(self, page: Page) -> None:
        self.page, self.pressed = page, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.pressed += 1

    def go(self, *keys: str) -> None:
        """Press keys of which the last one leads to another page, and wait until that page listens."""
        before = self.page.url
        self.press(*keys)
        self.page.wait_for_url(lambda url: url != before)
        self.page.wait_for_load_state("load")


def digits(number: int) -> str:
    """Six levels that differ from summary to summary."""
    return "".join(str((number // 3**place + place) % 3) for place in range(6))


def listed(page: Page, queue: str) -> list[list[str]]:
    page.goto(queue)
    return [row.locator("th, td").all_inner_texts() for row in page.locator(".queue-table tbody tr").all()]


def test_thirty_summaries_by_the_keyboard_alone(visit, class_of):
    queue = class_of("queue-thirty", 30)
    visitor = visit()
    page = visitor.sign_in("priya")
    page.goto(queue)
    keyboard = Keyboard(page)
    keyboard.go("n")
    costs = []
    for number in range(30):
        before = keyboard.pressed
        expect(page.locator("#desk-title")).to_contain_text(f"Summary {number + 1:02d}")
        if number == 2:
            visitor.see("queue-desk")
        keyboard.go(*digits(number), "Enter")
        costs.append(keyboard.pressed - before)
    print(f"keys a summary: {max(costs)} at most, {sum(costs)} for {len(costs)}")  # noqa: T201 - `pytest -s` shows it
    assert max(costs) <= MOST_KEYS
    expect(page.get_by_text("Nothing is left for you here")).to_be_visible()
    rows = listed(page, queue)
    assert [row[2] for row in rows] == [str(sum(map(int, digits(number)))) for number in range(30)]
    assert {row[3] for row in rows} == {"Priya Raman"}
    visitor.see("queue-list")
    page.goto(queue.removesuffix("r1/"))
    visitor.see("queue-overview")


def test_two_tas_at_once_do_no_work_twice(visit, class_of):
    queue = class_of("queue-two", 12)
    one, other = (visit() for _ in range(2))
    pages = [one.sign_in("priya"), other.sign_in("tomas")]
    keyboards = [Keyboard(page) for page in pages]
    for page, keyboard in zip(pages, keyboards, strict=True):
        page.goto(queue)
        keyboard.go("n")
    seen: list[str] = []
    while open_ones := [keyboard for keyboard in keyboards if keyboard.page.locator("#desk-title").count()]:
        now = [keyboard.page.url for keyboard in open_ones]
        assert len(set(now)) == len(now)
        seen += now
        for keyboard in open_ones:
            keyboard.go(*"212121", "Enter")
    assert len(seen) == len(set(seen)) == 12
    rows = listed(pages[0], queue)
    assert {row[3] for row in rows} == {"Priya Raman", "Tomás Ferreira"}
    expect(pages[0].get_by_text("12 of 12 graded").first).to_be_visible()


def test_two_who_meet_see_both_and_undo_leads_back(visit, class_of):
    queue = class_of("queue-meet", 4)
    first, second = visit(), visit()
    one, other = first.sign_in("priya"), second.sign_in("tomas")
    one.goto(queue)
    Keyboard(one).go("n")
    here = one.url
    other.goto(here)
    expect(other.get_by_text("Priya Raman reads this one now.")).to_be_visible()
    second.see("queue-presence")
    keys = Keyboard(other)
    keys.press(*"000000", "c")
    other.keyboard.type("Too short for me.")
    Keyboard(one).go(*"222222", "Enter")
    other.keyboard.press("Escape")
    keys.press("Enter")
    dialog = other.get_by_role("dialog", name="Priya Raman has graded this one too")
    expect(dialog).to_contain_text("Too short for me.")
    expect(dialog).to_contain_text("12")
    second.see("queue-conflict")
    dialog.get_by_role("button", name="Save mine in place of theirs").click()
    expect(other.locator("#desk-title")).to_be_visible()
    Keyboard(other).go("u")
    assert other.url == here
    expect(other.get_by_text("these are the marks from before your last save")).to_be_visible()
    expect(other.locator(".desk-levels input:checked")).to_have_count(6)
    assert other.locator(".desk-levels input:checked").evaluate_all("all => all.map(one => one.value)") == ["2"] * 6
    # a first save: the fields hold what was given, and nothing is stored
    Keyboard(one).go(*"111111", "Enter")
    Keyboard(one).go("u")
    expect(one.get_by_text("Taken back: nothing is stored")).to_be_visible()
    assert one.locator(".desk-levels input:checked").evaluate_all("all => all.map(one => one.value)") == ["1"] * 6


def test_keys_comments_flags_and_what_is_not_saved_comes_back(visit, class_of):
    queue = class_of("queue-keys", 3)
    visitor = visit()
    page = visitor.sign_in("priya")
    page.goto(queue)
    keyboard = Keyboard(page)
    keyboard.go("n")
    expect(page.locator(".math-ready").first).to_be_visible()
    here, title = page.url, page.locator("#desk-title").inner_text()
    keyboard.press("2", "ArrowDown", "1", "f", "c")
    page.keyboard.type("Which traces? 3")  # a digit in a comment is text
    page.keyboard.press("Escape")
    assert page.locator("[data-total]").inner_text() == "3"
    keyboard.go("j")
    assert page.locator("#desk-title").inner_text() != title
    keyboard.go("k")
    assert page.url == here
    expect(page.locator(".desk-levels input:checked")).to_have_count(2)
    expect(page.locator(".desk-note textarea").nth(3)).to_have_value("Which traces? 3")
    expect(page.get_by_role("checkbox", name="Flag")).to_be_checked()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Save and next")
    visitor.see("queue-keys")
    page.keyboard.press("Escape")
    keyboard.press("Enter")  # four items are not marked: nothing is sent
    assert page.url == here
    keyboard.go("s")
    assert page.url != here
    keyboard.press("a")
    expect(page.locator("#desk-title")).to_contain_text("Student")


def test_a_phone_grades_by_touch(visit, class_of):
    queue = class_of("queue-phone", 2)
    visitor = visit(PHONE, has_touch=True, is_mobile=True)
    page = visitor.sign_in("priya")
    page.goto(queue)
    visitor.see("queue-list-phone")
    page.get_by_role("button", name="Grade next").tap()
    expect(page.locator("#desk-title")).to_be_visible()
    for item in page.locator(".desk-item").all():
        level = item.locator(".desk-levels label").last
        box = level.bounding_box()
        assert box["width"] >= 44
        assert box["height"] >= 44
        level.tap()
    visitor.see("queue-desk-phone")
    before = page.url
    page.get_by_role("button", name="Save and next").tap()
    page.wait_for_url(lambda url: url != before)
    expect(page.locator("#desk-title")).to_be_visible()


def test_without_javascript_the_forms_do_it_all(visit, class_of):
    queue = class_of("queue-plain", 3)
    page = visit(java_script_enabled=False).sign_in("priya")
    page.goto(queue)
    page.get_by_role("button", name="Grade next").click()
    first = page.locator("#desk-title").inner_text()
    for item in page.locator(".desk-item").all():
        item.locator(".desk-levels label").first.click()
    page.get_by_role("button", name="Save and next").click()
    assert page.locator("#desk-title").inner_text() != first
    page.get_by_role("button", name="Undo").click()
    assert page.locator("#desk-title").inner_text() == first
    expect(page.get_by_text("Taken back: nothing is stored")).to_be_visible()
    page.get_by_role("button", name="Skip").click()
    assert page.locator("#desk-title").inner_text() != first
    page.get_by_role("link", name="The whole list").click()
    expect(page.get_by_text("0 of 3 graded")).to_be_visible()
