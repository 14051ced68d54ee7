"""Hands in a sample through the site's own pages, as a browser would, and waits for its score."""

from __future__ import annotations

import http.client
import http.cookiejar
import json
import re
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "labs" / "autodiff"
SAMPLE = "broadcast-missing-sum"
OFFERING, ASSIGNMENT = "cs498-sp26", "autodiff"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Client:
    """A signed-in visitor with cookies."""

    def __init__(self, url: str) -> None:
        self._url = url
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)

    def get(self, path: str) -> tuple[str, str]:
        """(address after redirects, text)."""
        with self._opener.open(self._url + path, timeout=60) as answer:
            return answer.geturl(), answer.read().decode()

    def post(
        self, page: str, path: str, fields: dict[str, str], file: tuple[str, bytes] | None = None
    ) -> tuple[str, str]:
        """Send a form that stands on `page`; (address after redirects, text)."""
        found = TOKEN.search(self.get(page)[1])
        if not found:
            raise RuntimeError(f"{page} holds no form")
        body, kind = _multipart({**fields, "csrfmiddlewaretoken": found[1]}, file)
        request = urllib.request.Request(self._url + path, body, {"Content-Type": kind, "Referer": self._url + page})  # noqa: S310
        with self._opener.open(request, timeout=120) as answer:
            return answer.geturl(), answer.read().decode()


def submit_sample(url: str, email: str, password: str, patience_s: float = 120.0) -> str:
    """Sign in, upload a solution with one known mistake, wait for the report; returns a sentence with the score."""
    client = Client(url)
    client.post("/sign-in/", "/sign-in/", {"username": email, "password": password})
    page = f"/o/{OFFERING}/labs/{ASSIGNMENT}/"
    address, _ = client.post(
        page, f"{page}submit/", {"client_token": secrets.token_hex(8)}, ("autodiff.ipynb", sample())
    )
    path = urllib.parse.urlsplit(address).path
    started = time.monotonic()
    while time.monotonic() - started < patience_s:
        report = _report(client, path)
        if report:
            return f"{report['score']:g} of {report['max_score']:g} points after {time.monotonic() - started:.1f} s: {url}{path}"
        time.sleep(0.2)
    raise RuntimeError("the sample was not graded in time; see the worker's log")


def _report(client: Client, path: str) -> dict[str, float] | None:
    """The report, or nothing while there is none."""
    try:
        found = json.loads(client.get(f"{path}report.json")[1])
    except urllib.error.HTTPError as error:
        if error.code == http.client.NOT_FOUND:
            return None
        raise
    return dict(found)


def sample() -> bytes:
    """The instructor's notebook with one of the lab's known mistakes in it."""
    sys.path.insert(0, str(ROOT))
    from grader.lab import Lab  # noqa: PLC0415 - after the path is set
    from grader.mutants import load_mutants  # noqa: PLC0415

    sources = {source.name: source.notebook for source in load_mutants(Lab(LAB))}
    return sources.get(SAMPLE) or next(iter(sources.values()))


def _multipart(fields: dict[str, str], file: tuple[str, bytes] | None) -> tuple[bytes, str]:
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()
    ]
    if file:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{file[0]}"\r\n'
        parts.append(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + file[1] + b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"
