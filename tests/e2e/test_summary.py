"""The story of a summary: written beside the paper, in two windows, without a network, handed in, read again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
COURSE = "/o/cs498-sp26"
SAVED = re.compile(r"^Saved \d\d:\d\d")


def opened(visitor, name: str, slug: str = "reading-4") -> Page:
    page = visitor.sign_in(name)
    page.goto(f"{visitor.url}{COURSE}/readings/{slug}/")
    return page


def another_window(page: Page) -> Page:
    window = page.context.new_page()
    window.goto(page.url)
    return window


def item(page: Page, title: str):
    return page.get_by_label(re.compile(rf"^\d · {title}$"))


def saved(page: Page) -> None:
    expect(page.locator("[data-save-text]")).to_have_text(SAVED)


def without_network_noise(visitor) -> None:
    """What a browser says of requests that it could not send, which is what was tried."""
    visitor.troubles[:] = [trouble for trouble in visitor.troubles if "ERR_INTERNET_DISCONNECTED" not in trouble]


def test_a_student_writes_previews_hands_in_and_hands_in_again(visit):
    visitor = visit()
    page = opened(visitor, "ada")
    visitor.see("reading")
    item(page, "The problem").fill("Attention moves $N^2$ scores through *slow* memory.")
    expect(page.locator('[data-words-of="cell-problem"]')).to_have_text("7 words")
    expect(page.locator("aside [data-words]")).to_have_text("7 words")
    saved(page)
    preview = page.locator('[data-preview="cell-problem"]')
    preview.locator("summary").click()
    expect(preview.locator("em")).to_have_text("slow")
    expect(preview.locator("math")).to_be_visible()
    item(page, "The problem").press_sequentially(" $$\\sqrt{d}$$")
    expect(preview.locator("msqrt")).to_be_visible()
    visitor.see("reading-preview")
    page.reload()
    expect(item(page, "The problem")).to_have_value(re.compile(r"sqrt\{d\}"))

    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.get_by_text("5 of 6 items are empty")).to_be_visible()
    visitor.see("reading-asked")
    page.get_by_role("button", name="Submit anyway").click()
    expect(page.locator(".messages")).to_contain_text(re.compile(r"Handed in at \d\d:\d\d:\d\d\. Your receipt is #\d+"))
    visitor.see("reading-handed-in")
    page.get_by_role("link", name=re.compile(r"^#\d+$")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Receipt")
    expect(page.get_by_text("waiting ahead")).to_have_count(0)
    visitor.see("receipt-of-a-summary")
    page.get_by_role("link", name="Back to the summary").click()
    visitor.see("summary")

    page.goto(f"{visitor.url}{COURSE}/readings/reading-4/")
    item(page, "The main ideas").fill("Tile the work so that it stays on the chip.")
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Submit anyway").click()
    page.get_by_role("link", name="Compare the last two").click()
    expect(page.locator(".compared ins")).to_contain_text("Tile the work")
    visitor.see("summary-compare")


def test_two_windows_that_meet_lose_nothing(visit):
    visitor = visit()
    first = opened(visitor, "kofi")
    second = another_window(first)
    item(first, "The problem").fill("Typed in the first window.")
    saved(first)
    item(second, "The problem").fill("Typed in the second window.")
    item(second, "Its impact").fill("Only here.")
    panel = second.locator("[data-conflict]")
    expect(panel).to_have_count(2)
    expect(panel.first).to_contain_text("Typed in the first window.")
    expect(panel.first).to_contain_text("Typed in the second window.")
    visitor.page = second
    visitor.see("reading-conflict")
    panel.first.get_by_role("button", name="Keep both").click()
    panel.first.get_by_role("button", name="Keep the left one").click()
    saved(second)
    both = "Typed in the second window.\n\nTyped in the first window."
    expect(item(second, "The problem")).to_have_value(both)

    item(first, "The problem").fill("The first window goes on.")
    panel = first.locator("[data-conflict]")
    expect(panel.first).to_contain_text("Typed in the second window.")
    for _ in range(2):
        panel.first.get_by_role("button", name="Take the right one").click()
    expect(item(first, "The problem")).to_have_value(both)
    expect(item(first, "Its impact")).to_have_value("Only here.")

    first.goto(first.url + "versions/")
    visitor.page = first
    expect(first.get_by_text("Put aside", exact=True).first).to_be_visible()
    first.get_by_role("row").filter(has_text="Put aside").first.get_by_role("link", name=re.compile("^Read")).click()
    expect(first.locator("#chosen")).to_contain_text("The first window goes on.")
    visitor.see("reading-versions")
    first.get_by_role("button", name="Make this my draft").click()
    expect(item(first, "The problem")).to_have_value("The first window goes on.")


def test_what_is_typed_without_a_network_is_there_again(visit):
    visitor = visit()
    page = opened(visitor, "mateo")
    saved_state = page.locator("[data-save-text]")
    page.context.set_offline(True)
    item(page, "The problem").fill("Typed in a train.")
    expect(saved_state).to_have_text("No connection. Your text is kept in this browser.")
    address = page.url
    page.close()
    page.context.set_offline(False)
    again = visitor.context.new_page()
    again.goto(address)
    expect(item(again, "The problem")).to_have_value("Typed in a train.")
    expect(again.locator("[data-save-text]")).to_have_text(SAVED)
    again.reload()
    expect(item(again, "The problem")).to_have_value("Typed in a train.")

    # meanwhile another machine saves: the text of this browser is offered beside it
    again.context.set_offline(True)
    item(again, "The problem").fill("Typed in a tunnel.")
    expect(again.locator("[data-save-text]")).to_have_text("No connection. Your text is kept in this browser.")
    elsewhere = opened(visit(), "mateo")
    item(elsewhere, "The problem").fill("Typed at home.")
    saved(elsewhere)
    again.close()
    visitor.context.set_offline(False)
    back = visitor.context.new_page()
    back.goto(address)
    panel = back.locator("[data-conflict]")
    expect(panel).to_contain_text("Typed in a tunnel.")
    expect(panel).to_contain_text("Typed at home.")
    panel.get_by_role("button", name="Keep both").click()
    saved(back)
    back.reload()
    expect(item(back, "The problem")).to_have_value("Typed in a tunnel.\n\nTyped at home.")
    expect(back.locator("[data-conflict]")).to_have_count(0)
    without_network_noise(visitor)


def test_who_is_signed_out_while_typing_finds_the_text_after_signing_in(visit):
    visitor = visit()
    page = opened(visitor, "oluwaseun")
    address = page.url
    page.context.clear_cookies()
    item(page, "Its impact").fill("Typed after the session ended.")
    expect(page.locator("[data-save-text]")).to_contain_text("You are signed out.")
    page = visitor.sign_in("oluwaseun")
    page.goto(address)
    expect(item(page, "Its impact")).to_have_value("Typed after the session ended.")
    saved(page)


def test_a_file_takes_the_place_of_the_fields(visit, tmp_path):
    visitor = visit()
    page = opened(visitor, "arjun")
    file = tmp_path / "summary.txt"
    file.write_bytes("Übersicht".encode("latin-1"))
    page.get_by_label(re.compile("^One file in place of the fields")).set_input_files(file)
    page.get_by_role("button", name="Submit the file").click()
    expect(page.locator("#refusal")).to_contain_text("is not text in UTF-8")
    file.write_text("# All of it\n<script>alert(1)</script>")
    page.get_by_label(re.compile("^One file in place of the fields")).set_input_files(file)
    page.get_by_role("button", name="Submit the file").click()
    page.get_by_role("link", name="Attempt 1").click()
    expect(page.locator("pre.upload-text")).to_have_text("# All of it\n<script>alert(1)</script>")
    visitor.see("summary-uploaded")


def test_after_the_due_moment_it_is_read_only_and_after_the_release_it_has_marks(visit):
    visitor = visit()
    page = opened(visitor, "ada", "reading-3")
    expect(page.get_by_text("The due moment has passed")).to_be_visible()
    expect(page.get_by_role("textbox")).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("Submit"))).to_have_count(0)
    visitor.see("reading-past")
    page.goto(f"{visitor.url}{COURSE}/readings/reading-2/")
    expect(page.locator(".score")).to_contain_text("/ 12")
    visitor.see("reading-released")
    page.goto(f"{visitor.url}{COURSE}/")
    expect(page.locator("main")).to_contain_text(re.compile(r"\d+ of 12"))
    visitor.see("dashboard-with-readings")


def test_staff_see_the_paper_the_rubric_and_the_class(visit):
    visitor = visit()
    page = opened(visitor, "priya", "reading-3")
    expect(page.locator(".facts")).to_contain_text(re.compile(r"\d+ / 40"))
    visitor.see("reading-staff")


def test_on_a_phone(visit):
    visitor = visit(PHONE)
    page = opened(visitor, "noor")
    item(page, "The problem").fill("Short.")
    saved(page)
    visitor.see("reading")
    page.goto(f"{visitor.url}{COURSE}/readings/reading-2/")
    visitor.see("reading-released")
    page.goto(f"{visitor.url}{COURSE}/readings/reading-4/versions/")
    visitor.see("reading-versions")


def test_without_javascript_everything_still_works(visit):
    visitor = visit(java_script_enabled=False)
    page = opened(visitor, "fatima")
    item(page, "The problem").fill("Plain forms do.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(item(page, "The problem")).to_have_value("Plain forms do.")
    page.get_by_role("button", name="Submit", exact=True).click()
    page.get_by_role("button", name="Submit anyway").click()
    expect(page.locator(".messages")).to_contain_text("Handed in at")


def test_two_windows_of_a_lab_that_meet_lose_nothing(visit):
    visitor = visit()
    page = visitor.sign_in("leila")
    page.goto(f"{visitor.url}{COURSE}/labs/autodiff/")
    other = another_window(page)
    for window, text in ((page, "first = 1"), (other, "second = 2")):
        editor = window.locator("code-editor .cm-content").first
        editor.click()
        window.keyboard.press("Control+Home")
        window.keyboard.insert_text(f"{text}\n")
        if window is page:
            saved(page)
    panel = other.locator("[data-conflict]")
    expect(panel).to_contain_text("first = 1")
    expect(panel).to_contain_text("second = 2")
    panel.get_by_role("button", name="Take the right one").click()
    expect(other.locator("code-editor .cm-content").first).to_contain_text("first = 1")
    saved(other)
