"""Every free text of the product is one of the corpus, and every page that shows it is opened in a browser: nothing runs.

What is listened for: dialogs, calls of `xss()`, reports of the content security policy, errors of scripts, requests to other hosts, and
elements that no page of ours has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page

from deploy.stack import ROOT, Stack, free_port
from tests.platform.web.corpus import CORPUS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

LISTEN = """
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations = [...(window.violations ?? []), `${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`];
});
"""
# what of the page as it stands would run, load or lead elsewhere; our own scripts and styles come from /static/
LIVE = r"""
() => {
  const found = [...(window.violations ?? [])];
  const strange = "iframe, frame, object, embed, base, marquee, audio, video, style, animate, set, foreignObject, use, maction";
  const marked = "#xss, .xss, [data-xss]";
  for (const element of document.querySelectorAll(`${strange}, ${marked}`)) found.push(element.outerHTML.slice(0, 200));
  const own = (address) => new URL(address, location.href).href.startsWith(`${location.origin}/static/`);
  for (const script of document.scripts) if (!script.src || !own(script.src)) found.push(script.outerHTML.slice(0, 200));
  for (const link of document.querySelectorAll("link")) if (!own(link.href)) found.push(link.outerHTML.slice(0, 200));
  for (const meta of document.querySelectorAll("meta[http-equiv]")) found.push(meta.outerHTML.slice(0, 200));
  const origin = (address) => new URL(address ?? "", location.href).origin;
  for (const form of document.forms)
    if (origin(form.getAttribute("action")) !== location.origin) found.push(form.outerHTML.slice(0, 200));
  for (const image of document.images) if (new URL(image.src).origin !== location.origin) found.push(image.outerHTML.slice(0, 200));
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      const address = value.replace(/[\u0000-\u0020]/g, "").toLowerCase();
      const leads = ["href", "src", "action", "formaction", "data", "xlink:href"].includes(name);
      const bad = leads && /^(javascript|vbscript|data):/.test(address);
      const handler = ["on", "hx-on", "data-hx-on"].some((start) => name.startsWith(start));
      if (handler || bad || (name === "style" && /url\(/.test(value)))
        found.push(`${element.localName} ${name}=${value.slice(0, 100)}`);
    }
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def course(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, dict[str, Any]]]:
    """The site without a worker, and the course that is full of it."""
    with Stack(data=tmp_path_factory.mktemp("xss"), port=free_port(), settings={"GRADLAB_DEMO": "1"}) as running:
        running.start_redis()
        running.manage("migrate", "--verbosity", "0")
        running.manage("collectstatic", "--noinput", "--verbosity", "0")
        order = [sys.executable, "-m", "tests.e2e.hostile_course"]
        done = subprocess.run(
            order, env=running.environment, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]
        running.start_web()
        yield running, json.loads(done.stdout)


# it waits for a filter that takes the inner tags out
HARMLESS_RAW = {"<scr<script>ipt>xss()</scr</script>ipt>"}


class Witness:
    """A browser that tells of everything that happens in it."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self.home = home
        self.heard: list[str] = []
        context.expose_binding("xss", lambda _source, *_: self.heard.append("xss() was called"))
        context.add_init_script(LISTEN)
        self.page: Page = context.new_page()
        self.page.on("dialog", self._dialog)
        self.page.on("pageerror", lambda error: self.heard.append(f"script error: {error}"))
        self.page.on("console", self._console)
        self.page.on("request", self._request)

    def _dialog(self, dialog) -> None:
        self.heard.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message) -> None:
        if message.type == "error":
            self.heard.append(f"console: {message.text}")

    def _request(self, request) -> None:
        if not request.url.startswith((self.home, "data:", "blob:", "about:")):
            self.heard.append(f"request: {request.url}")

    def look(self) -> list[str]:
        """What the page that is open did, and what of it is live."""
        try:
            self.heard += self.page.evaluate(LIVE)
        except Error as error:  # it leads elsewhere by itself
            self.heard.append(f"the page could not be looked at: {error.message}")
        found = list(self.heard)
        self.heard.clear()
        return found


def of_today(pages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A third of them each day, or all with `XSS_PAGES=all`: they take three minutes, and they are alike."""
    return pages if os.environ.get("XSS_PAGES") == "all" else pages[datetime.now(UTC).toordinal() % 3 :: 3]


def test_every_page_that_shows_a_free_text_shows_it_as_text(course, browser: Browser):
    stack, found = course
    troubles: dict[str, list[str]] = {}
    witnesses = {name: witness_of(browser, stack, found, name) for name in found["sessions"]}
    for viewer, address in of_today([*found["pages"], *audit_pages(witnesses["instructor"], stack, found)]):
        witness = witnesses[viewer]
        response = witness.page.goto(stack.url + address, wait_until="load")
        assert response is not None
        assert response.status == 200, f"{viewer} got {response.status} at {address}"
        if told := witness.look():
            troubles[f"{viewer} at {address}"] = told[:5]
    assert troubles == {}


def test_the_texts_are_really_on_the_pages(course, browser: Browser):
    """Or the test above would say nothing."""
    stack, found = course
    witness = witness_of(browser, stack, found, "instructor")
    for page in ("people", "scores", "audit", "schedule", "labs/tiny/submissions", "labs/tiny/regrades"):
        witness.page.goto(f"{stack.url}/o/{found['offering']}/{page}/")
        assert witness.page.inner_text("body").count("xss()") >= 20, page


@pytest.mark.parametrize("text", [vector.text for vector in CORPUS if vector.kind == "html"])
def test_the_measure_hears_each_text_of_html_where_a_page_shows_it_raw(browser: Browser, text: str):
    context = browser.new_context()
    witness = Witness(context, "http://raw.invalid")
    body = f"<!doctype html><title>x</title><body><div>{text}</div>"
    context.route(
        "**/*",
        lambda route: route.fulfill(
            body=body if route.request.is_navigation_request() else "", content_type="text/html"
        ),
    )
    witness.page.goto("http://raw.invalid/", wait_until="load")
    witness.page.wait_for_timeout(30)
    assert (witness.look() != []) == (text not in HARMLESS_RAW)
    context.close()


def witness_of(browser: Browser, stack: Stack, found: dict[str, Any], name: str) -> Witness:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": found["cookie"], "value": found["sessions"][name], "url": stack.url}])
    context.set_default_timeout(20_000)
    return Witness(context, stack.url)


def audit_pages(witness: Witness, stack: Stack, found: dict[str, Any]) -> list[tuple[str, str]]:
    """Every page of the log, as far as *Older* leads."""
    address, listed = f"/o/{found['offering']}/audit/", []
    while address:
        witness.page.goto(stack.url + address)
        older = witness.page.locator("a[rel=next]")
        address = f"/o/{found['offering']}/audit/{older.get_attribute('href')}" if older.count() else ""
        listed += [("instructor", address)] if address else []
    return listed
