"""Two readings that differ, calibration, and two similar summaries, in a browser: an instructor settles, a TA calibrates and judges."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
OFFERING = "/o/cs498-sp26"
# What the week leaves behind: summaries, some read twice, one copied in part, one chosen for calibration.
WEEK = """
from courses.models import Offering
from reviews.agreement.services import choose_calibration
from reviews.agreement.models import CalibrationText
from reviews.similar.services import search_similar
from tests.factories import reviewed, summary
from tests.platform.reviews.similar.writing import Writer

offering = Offering.objects.get(slug="cs498-sp26")
reading = offering.assignments.readings().get(number=3)
if not CalibrationText.objects.filter(submission__assignment=reading).exists():
    staff = {row.user.email.split("@")[0]: row for row in offering.enrollments.staff().select_related("user")}
    writer, names = Writer(1), [item.task_id for item in reading.rubric.items.all()]
    shared = writer.paragraph(120)
    for at, student in enumerate(offering.enrollments.students()[:9]):
        texts = {name: writer.paragraph(60) for name in names}
        if at < 2:
            texts[names[at]] = shared
        work = summary(reading, student, texts)
        reviewed(work, staff["priya"], 2, 2, 1, 2, at % 3, 2)
        reviewed(work, staff["tomas"], 2, 1, 1, 2, 2 * (at > 1), at % 2, purpose="second", comment="Reads well.")
    choose_calibration(offering=offering, number=work.pk, by=staff["ines"].user)
    search_similar(assignment=reading)
"""


@pytest.fixture
def week(stack) -> None:
    stack.manage("shell", "--verbosity", "0", "-c", WEEK)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_an_instructor_settles_what_is_far_apart_and_calibrates(visit, week, viewport):
    ines = visit(viewport)
    page = ines.sign_in("ines")
    page.goto(f"{ines.url}{OFFERING}/agreement/")
    page.get_by_role("heading", name="Reader by reader").wait_for()
    ines.see("agreement")
    page.locator("tr", has_text="Far apart").first.get_by_role("link").click()
    page.get_by_label("The second reading is adopted").check()
    page.get_by_label("Reason, kept in the audit log").fill("The second one follows the levels.")
    ines.see("double-reading")
    page.get_by_role("button", name="Settle").click()
    page.get_by_text("“The second one follows the levels.”").wait_for()
    ines.see("double-reading-settled")
    page.goto(f"{ines.url}{OFFERING}/calibration/")
    ines.see("calibration")
    page.locator("tbody th a").first.click()
    page.get_by_role("button", name="Keep my marks").wait_for()
    ines.see("calibration-text")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_a_ta_judges_two_similar_summaries(visit, week, viewport):
    priya = visit(viewport)
    page = priya.sign_in("priya")
    page.goto(f"{priya.url}{OFFERING}/similar/")
    priya.see("similar")
    page.locator("tr", has_text="Reading 3").first.get_by_role("link").first.click()
    page.locator("mark").first.wait_for()
    assert page.locator("mark").count() >= 2
    page.get_by_label("Followed up").check()
    page.get_by_label("Note, for course staff alone").fill("Asked both of them.")
    priya.see("similar-pair")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("No score changes by this, and no student sees it.").wait_for()
    page.get_by_role("link", name="Reading 3").click()
    priya.see("similar-search")
    page.get_by_role("button", name="Search now").click()
    page.get_by_text("Asked for", exact=True).first.wait_for()
    page.goto(f"{priya.url}{OFFERING}/agreement/")
    page.get_by_text("Reader 1").first.wait_for()
    priya.see("agreement-of-a-ta")
