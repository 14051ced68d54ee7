"""A rubric in a browser: a reading's items are edited, tried out, re-applied to a score, and taken back."""

from __future__ import annotations

import json

import pytest

from deploy.stack import Stack
from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
READING = "o/cs498-sp26/rubrics/reading-9"

# a summary of the ninth reading, which nobody else has, with a mark of 1 on each item: what the queue leaves behind
SEED = """
from decimal import Decimal
from accounts.models import User
from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from reviews.marking.models import Review
from reviews.marking.services import GivenMark, save_review
from submissions.models import Source, Submission
from submissions.services import record_submission
reading = Assignment.objects.get(slug="reading-9", offering__slug="cs498-sp26")
ada = Enrollment.objects.get(user__email="ada@demo.gradlab.example", offering=reading.offering)
priya = User.objects.get(email="priya@demo.gradlab.example")
work = Submission.objects.filter(assignment=reading, enrollment=ada).first() or record_submission(
    assignment=reading, enrollment=ada, files=[], source=Source.EDITOR, client_token=None,
    received_at=clock.now(), waiting_ahead=0, mail=False)
review = Review.objects.filter(submission=work).first()
marks = {item.pk: GivenMark(Decimal(1)) for item in reading.rubric.items.all()}
save_review(submission=work, by=priya, marks=marks, revision=review.revision if review else 0)
"""


@pytest.fixture
def score(stack: Stack) -> None:
    stack.manage("shell", "-c", SEED)


@pytest.mark.usefixtures("score")
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_a_rubric_is_edited_tried_out_re_applied_and_taken_back(visit, viewport):
    staff = visit(viewport)
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/{READING}/")
    staff.see("rubric")
    page.get_by_role("link", name="Edit").click()
    first = page.get_by_role("group", name="Item 1: The problem")
    first.get_by_label("Points", exact=True).first.fill("3")
    first.get_by_label("Points", exact=True).nth(1).fill("3")
    first.get_by_label("Points", exact=True).nth(2).fill("2.5")
    staff.see("rubric-edit")
    page.get_by_role("button", name="Try it out").first.click()
    page.get_by_role("heading", name="What this changes").wait_for()
    page.get_by_text("Level 1 of “The problem” gives 2.5 points instead of 1.").wait_for()
    staff.see("rubric-dry-run")
    page.get_by_label("Reason").fill("The problem is worth more.")
    page.get_by_role("button", name="Save and re-apply (1 student changes)").click()
    page.get_by_text("Saved, and every mark with a level has its new points.").wait_for()
    assert "+1.5" in page.inner_text("main")
    staff.see("rubric-change")
    page.get_by_role("button", name="Revert this change").click()
    page.get_by_text("Reverted: rubric and marks are as they were before.").wait_for()
    staff.see("rubric-reverted")


def test_items_are_added_and_moved_without_leaving_the_page(visit):
    staff = visit(PHONE)
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/{READING}/edit/")
    page.get_by_label("Title").first.fill("Typed and not saved")
    page.get_by_role("button", name="Add an item").click()
    title = page.get_by_role("group", name="Item 7").get_by_label("Title")
    title.wait_for()
    page.keyboard.type("Reproducibility")  # the new item has the focus
    page.get_by_role("button", name="Move item 7 up").click()
    page.get_by_role("group", name="Item 6: Reproducibility").wait_for()
    assert page.evaluate("document.activeElement.id") == "up-new1"
    assert page.get_by_label("Title").first.input_value() == "Typed and not saved"
    page.get_by_role("button", name="Try it out").first.click()
    page.get_by_text("“Reproducibility” is added, 2 points.").wait_for()
    page.get_by_role("button", name="Keep editing").click()
    assert page.get_by_label("Title").first.input_value() == "Typed and not saved"


def test_the_form_works_without_a_script_and_says_what_is_wrong(visit):
    staff = visit(DESKTOP, java_script_enabled=False)
    page = staff.page
    page.goto(f"{staff.url}/sign-in/")
    page.get_by_label("E-mail address").fill("ines@demo.gradlab.example")
    page.get_by_label("Password").fill("autodiff-by-hand")
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{staff.url}/{READING}/edit/")
    page.get_by_role("button", name="Add an item").click()
    page.get_by_role("button", name="Try it out").first.click()
    page.get_by_text("Please give the item a title.").wait_for()


def test_comments_and_adjustments(visit, stack: Stack):
    stack.manage("shell", "-c", SEED)
    staff = visit(DESKTOP)
    page = staff.sign_in("priya")
    page.goto(f"{staff.url}/{READING}/comments/")
    box = page.get_by_label("Add a comment to The problem")
    box.fill("Say to whom it matters.")
    box.locator("xpath=ancestor::form").get_by_role("button", name="Add").click()
    page.get_by_text("Kept for “The problem”.").wait_for()
    staff.see("rubric-comments")
    page.goto(f"{staff.url}/o/cs498-sp26/rubrics/")
    staff.see("rubrics")
    with page.expect_download() as download:
        page.goto(f"{staff.url}/{READING}/")
        page.get_by_role("link", name="Download rubric.json").click()
    assert len(json.loads(download.value.path().read_text())["items"]) == 6
