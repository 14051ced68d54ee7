"""Extensions in a browser: granted to several students at once, seen by one of them in another zone, revoked with a reason."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
DOMAIN = "demo.gradlab.example"


@pytest.mark.parametrize(
    ("viewport", "students"), [(DESKTOP, ("omar", "freya")), (PHONE, ("rahul", "elena"))], ids=["desktop", "phone"]
)
def test_an_instructor_extends_two_students_and_one_of_them_reads_it_in_kolkata(visit, viewport, students):
    staff = visit(viewport)
    page = staff.sign_in("ines")
    page.goto(f"{staff.url}/o/cs498-sp26/extensions/")
    page.get_by_role("heading", name="Grant an extension").click()
    form = page.locator("#grant-extension")
    form.get_by_label("Assignment").select_option(label="Lab 1: AutoDiff")
    form.get_by_label("New due day").fill("2026-03-08")
    form.get_by_label("Or their e-mail addresses").fill(f"{students[0]}@{DOMAIN}\nnobody@{DOMAIN}")
    form.get_by_label("Reason").fill("at a conference")
    form.get_by_role("button", name="Grant the extension").click()
    expect(form).to_contain_text(f"line 2: nobody@{DOMAIN}")
    expect(form.get_by_label("Reason")).to_have_value("at a conference")
    staff.see("extension-refused")
    form.get_by_label("Or their e-mail addresses").fill("\n".join(f"{name}@{DOMAIN}" for name in students))
    form.get_by_role("button", name="Grant the extension").click()
    expect(page.locator("#messages")).to_contain_text("2 extensions granted")
    staff.see("extensions")

    student = visit(viewport, timezone_id="Asia/Kolkata", locale="en-GB")
    seen = student.sign_in(students[0])
    seen.goto(f"{student.url}/o/cs498-sp26/dates/")
    row = seen.locator("tbody tr").filter(has_text="AutoDiff")
    expect(row).to_contain_text("Due Sun 8 Mar 2026, 23:59:59 CDT, moved from 20 Feb by an extension")
    expect(row).to_contain_text("Mon, 9 Mar 2026, 10:29:59")
    student.see("dates")
    seen.goto(f"{student.url}/o/cs498-sp26/labs/autodiff/")
    expect(seen.locator(".lab-facts")).to_contain_text("moved from 20 Feb by an extension")
    expect(seen.locator(".lab-facts [data-elsewhere]")).to_contain_text("10:29:59")
    student.see("lab-extended")

    for name in students:
        row = page.locator("section", has=page.get_by_role("heading", name="Extensions", exact=True)).locator(
            "tbody tr", has_text=f"{name}@"
        )
        row.get_by_text("Revoke").first.click()
        row.get_by_label("Reason, which the student reads").fill("the conference was cancelled")
        row.get_by_role("button", name="Revoke").click()
        expect(page.locator("#messages")).to_contain_text("Revoked.")
