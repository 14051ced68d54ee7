"""A dry run of the seeded lab in a browser: how it is started, what its page says while it runs, and that it ends without effect."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import DESKTOP, PHONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_a_dry_run_is_started_watched_and_discarded(visit, viewport):
    staff = visit(viewport)
    page = staff.sign_in("priya")
    page.goto(f"{staff.url}/o/cs498-sp26/labs/autodiff/submissions/")
    page.get_by_role("link", name="Regrade all…").click()
    page.get_by_role("radio", name="The attempt that counts").check()
    staff.see("regrades")
    page.get_by_role("button", name="Start the dry run").click()
    ended = page.get_by_text("runs have ended")
    ended.wait_for()
    staff.see("regrade-running")
    before = ended.inner_text()
    page.wait_for_function("text => !document.body.innerText.includes(text)", arg=before, timeout=90_000)
    page.get_by_role("button", name="Discard this dry run").click()
    page.get_by_text("Nobody's score has changed.").wait_for()
    page.locator("tbody th a").first.click()
    page.get_by_text("This dry run was discarded").wait_for()
    staff.see("regrade-discarded")
