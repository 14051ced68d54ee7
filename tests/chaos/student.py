"""A student with a browser: signs in, opens the lab page, hands in what the page's form sends."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

import requests

from tests.support import notebook_of

from .seed import ASSIGNMENT, OFFERING, PASSWORD

FIELD = r'name="{}" value="([^"]+)"'
RESULT = re.compile(r"/submissions/(\d+)/")
LAB = f"/o/{OFFERING}/labs/{ASSIGNMENT}/"
Work = tuple[str, bytes]  # a file's name and what is in it


def quick() -> Work:
    """A right answer that nobody handed in before: what is stored already is not stored again."""
    return "work.py", f"def add(a, b):\n    return a + b  # {secrets.token_hex(8)}\n".encode()


def slow() -> Work:
    """One that takes three seconds, in two checks."""
    name, source = quick()
    return name, b"import time\n\n\n" + source.replace(b"    return", b"    time.sleep(1.5)\n    return")


def large() -> Work:
    """One with more bytes than a request keeps in memory."""
    return "work.ipynb", notebook_of(quick()[1].decode(), plot=secrets.token_hex(1_500_000))


@dataclass(frozen=True)
class Answer:
    """What came back. Without a status the connection broke; with a submission the work was accepted."""

    status: int
    text: str = ""
    submission: int | None = None

    @property
    def is_a_sentence(self) -> bool:
        """Whether it is a page of ours that says what to do: a refusal beside the form, or a page for a site in trouble."""
        says = "again" in self.text and ('role="alert"' in self.text or "<h1" in self.text)
        return self.status in {422, 503} and says


class Student:
    """One person's session."""

    def __init__(self, url: str, email: str) -> None:
        self._url, self.email, self._form = url, email, {"csrfmiddlewaretoken": "", "client_token": ""}
        self._session = requests.Session()

    def __enter__(self) -> Student:
        """Signed in, with the lab page open."""
        page = self._session.get(f"{self._url}/sign-in/", timeout=60).text
        fields = {
            "username": self.email,
            "password": PASSWORD,
            "csrfmiddlewaretoken": _field("csrfmiddlewaretoken", page),
        }
        self._session.post(f"{self._url}/sign-in/", fields, timeout=60).raise_for_status()
        self.open_lab()
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def open_lab(self) -> None:
        """Read the form's tokens from a fresh page."""
        page = self._session.get(self._url + LAB, timeout=60)
        page.raise_for_status()
        self._form = {name: _field(name, page.text) for name in self._form}

    def look(self) -> Answer:
        """The lab page, whatever comes."""
        return self._ask("GET", LAB)

    def hand_in(self, work: Work) -> Answer:
        """Press *Submit* on the page that is open; pressing it again sends the same form."""
        return self._ask("POST", f"{LAB}submit/", data=self._form, files={"files": work})

    def _ask(self, method: str, path: str, **body: object) -> Answer:
        try:
            found = self._session.request(method, self._url + path, timeout=90, allow_redirects=False, **body)
        except requests.ConnectionError:
            return Answer(0)
        made = RESULT.search(found.headers.get("Location", ""))
        return Answer(found.status_code, found.text, int(made[1]) if made else None)


def _field(name: str, page: str) -> str:
    found = re.search(FIELD.format(name), page)
    assert found, f"no {name} on the page"
    return found[1]
