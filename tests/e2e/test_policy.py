"""How grades are made, in a browser: weights from A to B with a dry run and back, a freeze that is lifted, and the statistics."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(480)]
COURSE = "o/cs498-sp26"


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_weights_go_from_a_to_b_with_a_dry_run_and_back(visit, viewport):
    staff = visit(viewport)
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/{COURSE}/grading/")
    staff.see("grading")
    page.get_by_role("button", name="Try out scheme B").click()
    page.get_by_role("heading", name="What this changes").wait_for()
    page.get_by_text("Final report weighs 14 % instead of 15 %.").wait_for()
    assert (
        page.get_by_text("Student 1", exact=True).first.is_visible()
        or page.get_by_text("No student's grade changes").count()
    )
    staff.see("grading-trial")
    if page.get_by_label("Show names (not on a projector)").count():
        page.get_by_label("Show names (not on a projector)").check()
        assert (
            page.get_by_text("Student 1", exact=True).count() == 0
            or not page.get_by_text("Student 1", exact=True).first.is_visible()
        )
        staff.see("grading-trial-names")
    page.get_by_label("Reason").fill("As the second table says.")
    page.locator("form").get_by_role("button", name="Save").click()
    page.get_by_text("Saved. Every grade goes by the new scheme.").wait_for()
    staff.see("grading-change")
    page.get_by_role("link", name="Try the revert out").click()
    page.get_by_role("heading", name="What taking this back changes").wait_for()
    page.get_by_role("button", name="Revert this change").click()
    page.get_by_text("Reverted: the scheme is as it was before.").wait_for()
    page.goto(f"{staff.url}/{COURSE}/grading/")
    page.get_by_text("Scheme A stands").wait_for()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_the_editor_counts_as_it_is_typed_and_loses_nothing(visit, viewport):
    staff = visit(viewport)
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/{COURSE}/grading/edit/")
    page.get_by_text("add up to 100 %").first.wait_for()
    labs = page.get_by_role("group", name="Component 2: Lab assignments")
    labs.get_by_label("Weight, %").fill("20")
    page.get_by_text("add up to 99 %").wait_for()
    page.get_by_role("button", name="Add a component").click()
    page.get_by_role("group", name="Component 8").get_by_label("Name").wait_for()
    page.keyboard.type("Bonus")  # the new component has the focus
    bonus = page.get_by_role("group", name="Component 8")
    bonus.get_by_label("Weight, %").fill("3")
    bonus.get_by_label("Extra credit").check()
    staff.see("grading-edit")
    page.get_by_role("button", name="Try it out").first.click()
    page.get_by_text("The weights add up to 99, not 100, without extra credit").wait_for()
    assert bonus.get_by_label("Name").input_value() == "Bonus"
    staff.see("grading-edit-wrong")
    labs.get_by_label("Weight, %").fill("21")
    page.get_by_role("button", name="Try it out").first.click()
    page.get_by_text("“Bonus” is added: 3 % of extra credit.").wait_for()
    page.get_by_role("button", name="Keep editing").click()
    assert bonus.get_by_label("Name").input_value() == "Bonus"


def test_the_editor_works_without_a_script(visit):
    staff = visit(DESKTOP, java_script_enabled=False)
    page = staff.page
    page.goto(f"{staff.url}/sign-in/")
    page.get_by_label("E-mail address").fill("ines@demo.gradlab.example")
    page.get_by_label("Password").fill("autodiff-by-hand")
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{staff.url}/{COURSE}/grading/edit/")
    page.get_by_role("button", name="Remove component 7").click()
    page.get_by_role("button", name="Final report").click()
    page.get_by_role("button", name="Try it out").first.click()
    page.get_by_text("The weights add up to 85, not 100").wait_for()


def test_the_focus_stays_where_it_was_when_a_part_of_the_page_is_replaced(visit):
    staff = visit()
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/{COURSE}/labs/autodiff/submissions/")
    chosen = page.get_by_role("link", name="Needs staff", exact=True)
    chosen.press("Enter")
    expect(chosen).to_have_attribute("aria-current", "true")
    expect(chosen).to_be_focused()
    page.goto(f"{staff.url}/{COURSE}/grading/edit/")
    gone = page.get_by_role("button", name="Remove the letter D", exact=True)
    gone.press("Enter")
    expect(gone).to_have_count(0)
    expect(page.locator("#editor :focus")).to_have_count(1)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_grades_are_frozen_in_spite_of_what_is_open_and_lifted(visit, viewport):
    staff = visit(viewport)
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/{COURSE}/freezing/")
    staff.see("freezing")
    # where one is stands in sight in the bar of places, and so does what a refusal says, though it is far below
    expect(page.locator(".rail .nav [aria-current]")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Sign out")).to_be_in_viewport()
    page.get_by_role("button", name="Freeze the grades in spite of that").click()
    refused = page.get_by_role("alert").filter(has_text="note")
    expect(refused).to_be_focused()
    expect(refused).to_be_in_viewport()
    page.get_by_label("Note").fill("The term is over.")
    page.get_by_role("button", name="Freeze the grades in spite of that").click()
    page.get_by_text("Frozen. Everyone sees these grades until the freeze is lifted.").wait_for()
    staff.see("frozen")
    page.get_by_role("link", name="See and lift it").click()
    page.get_by_text("Has its hash").wait_for()
    staff.see("snapshot")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download grades.json").click()
    assert len(json.loads(download.value.path().read_text())["students"]) == 40
    page.get_by_label("Reason").fill("A regrade came late.")
    page.get_by_role("button", name="Lift the freeze").click()
    page.get_by_text("Lifted. The grades are read from their sources again; the snapshot stays.").wait_for()
    page.get_by_label("Compare with").select_option(index=1)
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name="Beside snapshot").wait_for()
    staff.see("snapshot-compared")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_the_statistics_are_pictures_with_tables(visit, viewport):
    staff = visit(viewport)
    page = staff.sign_in("priya")
    page.goto(f"{staff.url}/{COURSE}/statistics/")
    page.get_by_role("img", name="Final score").wait_for()
    page.get_by_text("As a table: Final score").click()
    staff.see("statistics")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_students_at_risk_are_listed_with_reasons_by_rules_that_the_instructor_sets(visit, viewport):
    staff = visit(viewport)
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/{COURSE}/at-risk/")
    page.get_by_role("heading", name="Rules").wait_for()
    staff.see("at-risk")
    page.get_by_label("Score so far below, %").fill("-5")
    page.get_by_role("button", name="Save the rules").click()
    page.wait_for_url("**/at-risk/rules/")
    staff.see("at-risk-refused")
