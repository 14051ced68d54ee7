"""The presentation hour: the order, three phones that rate over a bad network, the clock for the room, moderation, the team that reads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from deploy.stack import ROOT
from tests.e2e.conftest import PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
DATA = Path(__file__).with_name("talks_data.py")
COMMENT, TYPED = "A word to the team, if you like", "Typed, and the phone fell asleep."
SAVED = re.compile(r"^Saved \d\d:\d\d:\d\d$")


def offering(stack, *arguments: str) -> str:
    """Make an offering with two teams; what was printed about it."""
    command = [sys.executable, str(DATA), *arguments]
    done = subprocess.run(command, env=stack.environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def state(page: Page):
    return page.locator("[data-save-state]")


def tap(page: Page, number: int, legend: str = "Did you learn something?") -> None:
    """On the tile, as a thumb does."""
    tiles = page.get_by_role("group", name=legend).locator("label")
    tiles.filter(has_text=re.compile(rf"^{number}\b")).click()


def without_network_noise(visitor) -> None:
    """What a browser says of requests that it could not send, which is what was tried."""
    visitor.troubles[:] = [trouble for trouble in visitor.troubles if "ERR_INTERNET_DISCONNECTED" not in trouble]


def planned(staff, course: str) -> Page:
    """Both teams get a talk, and the second one is put before the first by keys."""
    page = staff.sign_in("priya")
    page.goto(f"{course}talks/")
    staff.see("talks-empty")
    page.get_by_label(re.compile("Talks 2")).uncheck()
    scripts: list[Route] = []

    def hold(route: Route) -> None:
        scripts.append(route)

    page.route("**/talk-order*.js", hold)
    page.get_by_role("button", name="Plan 2 talks").click()
    expect(page.locator("[data-row]")).to_have_count(2)
    first, second = (row.get_attribute("data-row") for row in page.locator("[data-row]").all())
    handle = page.get_by_role("button", name=f"Move {first}")
    expect(handle).to_be_disabled()  # a key pressed before its script is here would be lost
    scripts[0].continue_()
    expect(handle).to_be_enabled()
    page.unroute("**/talk-order*.js")
    handle.press("ArrowDown")
    expect(page.locator("[data-row]").first).to_have_attribute("data-row", second)
    expect(page.locator("#announce")).to_contain_text(f"{first}, now number 2 on")
    expect(page.get_by_text("The order is not saved yet.")).to_be_visible()
    page.get_by_role("button", name="Save the order").click()
    expect(page.get_by_text("The order is saved.")).to_be_visible()
    expect(page.locator("[data-row]").first).to_have_attribute("data-row", second)
    staff.see("talks-planned")
    return page


def dragged(page: Page) -> None:
    """By its handle to the other place, and put back without saving."""
    rows = page.locator("[data-row]")
    before = rows.first.get_attribute("data-row")
    expect(rows.first.locator("[data-handle]")).to_be_enabled()
    handle, target = rows.first.locator("[data-handle]").bounding_box(), rows.last.bounding_box()
    page.mouse.move(handle["x"] + 8, handle["y"] + 8)
    page.mouse.down()
    page.mouse.move(handle["x"] + 8, target["y"] + target["height"] - 4, steps=6)
    page.mouse.up()
    expect(rows.last).to_have_attribute("data-row", before)
    page.get_by_role("button", name="As it was").click()
    expect(rows.first).to_have_attribute("data-row", before)


def test_an_hour_of_talks(visit, stack):
    offering(stack, "talks")
    course = f"{stack.url}/o/talks/"
    staff, phones = visit(), {name: visit(PHONE) for name in ("noor", "mei", "jin")}
    desk = planned(staff, course)
    dragged(desk)
    for name, visitor in phones.items():
        visitor.sign_in(name)
        visitor.page.goto(f"{course}talks/")
        expect(visitor.page.locator("[data-row]")).to_have_count(2)
    expect(phones["noor"].page.get_by_text("Your team's talk")).to_be_visible()
    phones["noor"].see("talks-student")

    desk.get_by_role("link", name="Fast Attention", exact=True).click()
    desk.get_by_role("button", name="Open ratings").click()
    expect(desk.get_by_text("of 6 classmates have rated")).to_be_visible()
    staff.see("talk-open")
    for visitor in phones.values():  # one tap from any page
        visitor.page.goto(f"{course}schedule/")
        visitor.page.get_by_role("link", name=re.compile("Fast Attention are presenting now")).click()
    a_double_tap_and_a_change(phones["noor"], desk)
    a_bad_network(phones["mei"])
    left_behind(phones["jin"], course)
    speaker, boss = visit(PHONE), visit()
    speaker.sign_in("ada")
    speaker.page.goto(f"{course}talks/now/")
    expect(speaker.page.get_by_text("This is your own team's talk")).to_be_visible()
    speaker.see("rate-own")
    five_criteria(visit(PHONE), course)

    desk.get_by_role("button", name="Close ratings").click()
    expect(desk.get_by_text("ratings are closed")).to_be_visible()
    too_late(phones["jin"], desk)
    held = moderated(staff, course)
    boss.sign_in("tomas")
    released(boss, course)
    speaker.page.goto(f"{course}talks/")
    speaker.page.get_by_role("link", name="Read what was said", exact=True).click()
    speaker.see("feedback")
    # staff 4 of 5, classmates 5, 2 and 3: (75 + 100 * (10/3 - 1) / 4) / 2
    expect(speaker.page.locator(".score")).to_contain_text("66.67")
    expect(speaker.page.get_by_text("Rehearse the ending.")).to_be_visible()
    assert held not in speaker.page.content()
    for name in ("Noor", "Mei", "Jin"):
        assert name not in speaker.page.locator("main").text_content()


def a_double_tap_and_a_change(visitor, desk: Page) -> None:
    page = visitor.page
    tap(page, 4)
    page.get_by_label(COMMENT).fill("The timeline slide was the best one.")
    visitor.see("rate")
    page.get_by_role("button", name="Save").dblclick()
    expect(state(page)).to_have_text(SAVED)
    expect(desk.get_by_text("1 of 6 classmates have rated")).to_be_visible()  # without a reload
    tap(page, 5)
    page.get_by_role("button", name="Save the change").click()
    expect(state(page)).to_have_text(SAVED)
    page.reload()
    expect(page.get_by_role("radio", name=re.compile(r"^5\b"))).to_be_checked()


def a_bad_network(visitor) -> None:
    """Without a number nothing is saved; what was saved without a network is sent by itself."""
    page = visitor.page
    page.get_by_label(COMMENT).fill("Too fast for me.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Please tap one of the numbers first.")).to_be_visible()
    visitor.see("rate-refused")
    visitor.context.set_offline(True)
    tap(page, 2)
    page.get_by_role("button", name="Save").click()
    expect(state(page)).to_contain_text("no connection")
    visitor.context.set_offline(False)
    expect(state(page)).to_have_text(SAVED, timeout=30_000)
    without_network_noise(visitor)


def left_behind(visitor, course: str) -> None:
    """What was typed and never saved is offered again."""
    page = visitor.page
    tap(page, 3)
    page.get_by_label(COMMENT).fill(TYPED)
    page.goto(f"{course}schedule/")
    page.get_by_role("link", name=re.compile("Fast Attention are presenting now")).click()
    expect(page.get_by_text("This was never saved:")).to_be_visible()
    visitor.see("rate-left-behind")
    page.get_by_role("button", name="Put it back").click()
    expect(page.get_by_label(COMMENT)).to_have_value(TYPED)


def five_criteria(visitor, course: str) -> None:
    page = visitor.sign_in("tomas")
    page.goto(f"{course}talks/now/")
    for criterion in ("Format", "Correctness", "Depth", "Clarity", "Insights"):
        tap(page, 4, criterion)
    page.get_by_label("Comment, which the team reads with its score").fill("Rehearse the ending.")
    visitor.see("rate-staff")
    page.get_by_role("button", name="Save").click()
    expect(state(page)).to_have_text(SAVED)


def too_late(visitor, desk: Page) -> None:
    """A save after the close is refused with a sentence, and stays on the phone until staff open the ratings again."""
    page = visitor.page
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Ratings of this talk are closed.")).to_be_visible()
    expect(page.get_by_label(COMMENT)).to_have_value(TYPED)
    page.reload()
    expect(page.get_by_text(TYPED)).to_be_visible()
    visitor.see("rate-closed")
    desk.get_by_role("button", name="Open ratings again").click()
    expect(desk.get_by_text("ratings are open")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Put it back").click()
    page.get_by_role("button", name="Save").click()
    expect(state(page)).to_have_text(SAVED)
    desk.get_by_role("button", name="Close ratings").click()
    expect(desk.get_by_text("ratings are closed")).to_be_visible()


def moderated(staff, course: str) -> str:
    """Two comments are shown and one held back, by keys; returns the latter."""
    page = staff.page
    page.goto(f"{course}talks/comments/")
    expect(page.locator(".comment")).to_have_count(3)
    staff.see("comments")
    for left in (2, 1):
        page.keyboard.press("s")
        expect(page.locator(".comment")).to_have_count(left)
    held = page.locator(".comment-text").text_content()
    page.keyboard.press("h")
    expect(page.get_by_text("No comment waits.")).to_be_visible()
    return str(held)


def released(boss, course: str) -> None:
    page = boss.page
    page.goto(f"{course}talks/results/")
    boss.see("talks-results")
    page.get_by_role("link", name="Fast Attention").click()
    page.get_by_text("Mark by mark, with names").click()
    boss.see("talk-result")
    page.goto(f"{course}talks/results/")
    page.get_by_label("Release Fast Attention").check()
    page.get_by_role("button", name="Release the ticked ones").click()
    expect(page.get_by_text("1 score is released.")).to_be_visible()


def test_the_clock_for_the_room(visit, stack):
    clock = f"{stack.url}/o/clock/talks/{offering(stack, 'clock', 'planned')}/timer/"
    visitor = visit()
    page = visitor.sign_in("priya")
    page.goto(clock)
    digits, words = page.locator("[data-digits]"), page.locator("[data-state]")
    expect(digits).to_have_text("12:00")
    visitor.see("timer-ready")
    page.clock.install()
    page.goto(clock)
    visitor.context.set_offline(True)
    page.keyboard.press("Space")
    page.clock.run_for(61_000)
    expect(digits).to_have_text("10:59")
    expect(words).to_have_text("Talk")
    page.keyboard.press("Space")
    page.clock.run_for(60_000)
    expect(digits).to_have_text("10:59")
    expect(words).to_have_text("Talk (paused)")
    page.keyboard.press("Space")
    page.clock.run_for(9 * 60_000)
    expect(words).to_have_text("Come to the end")
    page.clock.run_for(100_000)
    expect(words).to_have_text("Last words")
    page.clock.run_for(60_000)
    expect(words).to_have_text("Time is up, over by")
    page.keyboard.press("q")
    expect(digits).to_have_text("3:00")
    expect(words).to_have_text("Questions")
    page.keyboard.press("n")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lean Caches")
    expect(page.get_by_text("The last talk of this session")).to_be_visible()
    expect(digits).to_have_text("12:00")
    visitor.context.set_offline(False)
    without_network_noise(visitor)
