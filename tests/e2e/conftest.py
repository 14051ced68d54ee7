"""Browser tests: the whole product as real processes, a real Chromium, and a page that tells of every error it meets."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from deploy.demo import PASSWORD, demo_settings, prepare
from deploy.stack import Stack, free_port
from tests.support import require

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SCREENSHOTS = os.environ.get("SCREENSHOTS", "")
# a machine that is busy is slow and not wrong
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a browser on this machine; none is ever downloaded."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        require("browser", "no Chromium is installed (Debian: apt-get install chromium)")
    return str(found)


@pytest.fixture(scope="session")
def stack(chromium: str, once, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The seeded course, up and running. It is made once; each process has a copy."""

    def seed(folder: Path) -> None:
        with Stack(data=folder, port=free_port(), settings=demo_settings()) as first:
            first.start_redis()
            prepare(first)

    data = tmp_path_factory.mktemp("stack")
    shutil.copytree(once("seeded", seed), data, dirs_exist_ok=True)
    with Stack(data=data, port=free_port(), settings=demo_settings()) as running:
        running.start_redis()
        running.start_site()
        yield running


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


class Visitor:
    """A person with a browser of their own."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url = context, url
        self.page: Page = context.new_page()
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(f"script error: {error}"))
        self.page.on("console", self._heard)
        self.page.on("requestfailed", self._failed)
        self.page.on("dialog", lambda dialog: self.troubles.append(f"dialog: {dialog.message}"))

    def _heard(self, message) -> None:
        expected = "the server responded with a status of 4" in message.text
        if message.type == "error" and not expected:
            self.troubles.append(f"console: {message.text}")

    def _failed(self, request) -> None:
        # leaving a page aborts what it still asks for: its event stream, an icon
        if request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"request: {request.url} {request.failure}")

    def sign_in(self, name: str) -> Page:
        self.page.goto(f"{self.url}/sign-in/")
        self.page.get_by_label("E-mail address").fill(f"{name}@demo.gradlab.example")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/o/cs498-sp26/")
        return self.page

    def see(self, name: str) -> None:
        """Look at the page as a customer would, in both themes: nothing that axe finds, nothing beyond the window's edge."""
        self.page.wait_for_load_state()  # a click ends when the next page has begun
        width = self.page.viewport_size["width"]
        overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name} is {overflow} px wider than the window of {width} px"
        # what is wrong without colours is wrong in both themes, so the second is asked about colours alone
        for theme, options in (("dark", {}), ("light", {"runOnly": ["color-contrast"]})):
            self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # no colour half-way
            found = Axe().run(self.page, options={"resultTypes": ["violations"], **options}).response["violations"]
            told = [f"{v['id']}: {v['help']} at {[node['target'] for node in v['nodes'][:3]]}" for v in found]
            assert told == [], f"{name} in the {theme} theme ({self.page.url})"
            if SCREENSHOTS:
                Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
                self.page.screenshot(path=f"{SCREENSHOTS}/{name}-{width}-{theme}.png", full_page=True)


@pytest.fixture
def visit(browser: Browser, stack: Stack) -> Iterator[Callable[..., Visitor]]:
    """Opens browsers for people; afterwards none of them may have met an error."""
    visitors: list[Visitor] = []

    def open_one(viewport: dict[str, int] = DESKTOP, **options) -> Visitor:
        context = browser.new_context(viewport=viewport, accept_downloads=True, **options)
        context.set_default_timeout(20_000)
        visitors.append(Visitor(context, stack.url))
        return visitors[-1]

    yield open_one
    troubles = [trouble for visitor in visitors for trouble in visitor.troubles]
    for visitor in visitors:
        visitor.context.close()
    assert troubles == []
