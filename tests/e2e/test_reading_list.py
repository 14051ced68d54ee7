"""The instructor keeps the reading list in a browser: adds by hand and from BibTeX, orders by pointer and by keys, sets dates."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import DESKTOP, PHONE, Visitor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
BIB = r"""@inproceedings{alpa, title = {Gau{\ss}ian {GPU}s}, author = {Erd{\H{o}}s, Paul}, booktitle = {OSDI}, year = 2024}
@misc{broken, title = {No end
"""


def titles(page: Page) -> list[str]:
    return page.locator("tr[data-row]").evaluate_all("rows => rows.map(row => row.dataset.row)")


def dues(page: Page) -> list[str]:
    return page.locator("[data-due] time").evaluate_all("times => times.map(time => time.dateTime)")


def handle(page: Page, title: str):
    found = page.get_by_role("button", name=f"Move {title}", exact=True)
    expect(found).to_be_enabled()
    return found


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_an_instructor_keeps_the_list(visit, viewport):
    added = f"An Added Paper {viewport['width']}"
    keeper = visit(viewport)
    page = keeper.sign_in("ines")
    page.goto(f"{keeper.url}/o/cs498-sp26/readings/")
    keeper.see("reading-list")
    add_by_hand(keeper, added)
    before = titles(page)
    assert before[-1] == added
    order_by_keys(keeper, added)
    order_by_pointer(page, added)
    edit_hide_and_remove(keeper, added)
    assert titles(page) == before[:-1]
    read_bibtex(keeper)
    look_at_dates(keeper)
    page.goto(f"{keeper.url}/o/cs498-sp26/readings/list/copy/")
    # whether there is an offering to copy to depends on what other tests made her teach
    page.get_by_role("heading", name="Copy the reading list").wait_for()
    keeper.see("reading-copy")


def add_by_hand(keeper: Visitor, added: str) -> None:
    """With a mistake first."""
    page = keeper.page
    page.get_by_role("link", name="Add a paper").click()
    page.get_by_text("Looking up papers is switched off here.").wait_for()
    page.get_by_label("Title").fill(added)
    page.get_by_label("arXiv id").fill("nonsense")
    keeper.see("reading-add")
    page.get_by_role("button", name="Add to the list").click()
    page.get_by_text("This is no arXiv id.").wait_for()
    keeper.see("reading-add-refused")
    page.get_by_label("arXiv id").fill("2401.00001")
    page.get_by_role("button", name="Add to the list").click()
    page.get_by_text(f"“{added}” is on the list").wait_for()


def order_by_keys(keeper: Visitor, added: str) -> None:
    """To the top, one down, then saved as one act; the paper takes its date along."""
    page = keeper.page
    before, dates = titles(page), dues(page)
    handle(page, added).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert titles(page)[1] == added
    assert dues(page) == dates  # dates stay with their places
    assert page.locator("#announce").inner_text().startswith(f"{added}, now number 2 of")
    keeper.see("reading-order-changed")
    page.get_by_label("When the order changes, due dates").select_option("papers")
    assert dues(page)[1] == dates[-1]
    page.get_by_role("button", name="Save the order").click()
    page.get_by_text("The order is saved.").wait_for()
    assert titles(page) == [before[0], added, *before[1:-1]]
    assert dues(page)[1] == dates[-1]


def order_by_pointer(page: Page, added: str) -> None:
    """Dragged below its neighbour: given up with Escape, then for good, then undone."""
    neighbour = titles(page)[2]
    for drops in (False, True):
        start, end = handle(page, added).bounding_box(), page.locator(f"tr[data-row='{neighbour}']").bounding_box()
        page.mouse.move(start["x"] + 8, start["y"] + 8)
        page.mouse.down()
        page.mouse.move(start["x"] + 8, end["y"] + end["height"] * 0.8, steps=8)
        assert titles(page)[1:3] == [neighbour, added]
        if not drops:
            page.keyboard.press("Escape")
        page.mouse.up()
        assert titles(page)[1:3] == ([neighbour, added] if drops else [added, neighbour])
    page.get_by_role("button", name="Undo").click()
    assert titles(page)[1:3] == [added, neighbour]


def edit_hide_and_remove(keeper: Visitor, added: str) -> None:
    """A row is edited where it stands, and removed from there: nobody has written about it."""
    page = keeper.page
    page.get_by_role("link", name=f"Edit {added}").click()
    page.get_by_label("Topic").fill("Testing")
    keeper.see("reading-edit")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text(f"“{added}” is saved.").wait_for()
    page.get_by_role("button", name=f"Hide {added}").click()
    page.get_by_text(f"“{added}” is hidden from students").wait_for()
    page.get_by_role("link", name=f"Edit {added}").click()
    page.get_by_role("button", name="Remove from the list").click()
    page.get_by_text("is removed.").wait_for()


def read_bibtex(keeper: Visitor) -> None:
    """What is broken is named, and nothing is added before it was seen."""
    page = keeper.page
    page.get_by_role("link", name="Import BibTeX").click()
    page.get_by_label("BibTeX", exact=True).fill(BIB)
    page.get_by_role("button", name="Read it").click()
    page.get_by_text("1 of 2 entries can be added").wait_for()
    page.get_by_text("a brace or a quote is not closed").wait_for()
    keeper.see("reading-import")


def look_at_dates(keeper: Visitor) -> None:
    """Spring break is skipped by itself, and another week once it is ticked."""
    page = keeper.page
    page.goto(f"{keeper.url}/o/cs498-sp26/readings/")
    page.get_by_role("link", name="Due dates").click()
    page.get_by_label("First due date").fill("2026-02-06")
    page.get_by_role("button", name="Show the dates again").click()
    page.get_by_text("Spring break").wait_for()
    assert page.get_by_role("checkbox", name="skip 20 March").is_checked()
    page.get_by_role("checkbox", name="skip 27 February").check()
    page.get_by_role("button", name="Show the dates again").click()
    page.get_by_role("row", name="Fri 27 Feb 2026").get_by_text("Skipped").wait_for()
    keeper.see("reading-dates")


def test_without_scripts_the_arrows_move_a_paper(visit):
    keeper = visit(java_script_enabled=False)
    page = keeper.sign_in("ines")
    page.goto(f"{keeper.url}/o/cs498-sp26/readings/")
    before = page.locator("tbody th[scope=row]").all_inner_texts()
    for wanted in (before[1::-1], before[:2]):
        page.get_by_label("When the order changes, due dates").select_option("papers")
        page.locator("button[name=move]:not([disabled])").nth(0).click()
        page.get_by_text("The order is saved.").wait_for()
        assert page.locator("tbody th[scope=row]").all_inner_texts() == [*wanted, *before[2:]]
