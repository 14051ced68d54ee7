"""A student's browser: opens the lab page, sends the form that stands on it, follows to the result page, watches the grading."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from typing import Self

import httpx

from .names import LAB_PAGE, Visitor

COOKIE = "gradlab_session"
FORM = re.compile(
    r'name="csrfmiddlewaretoken" value="([^"]+)"><input type="hidden" name="client_token" value="([^"]+-f)"'
)
RECEIPT = re.compile(r'/receipt/">#(\d+) · <span class="mono">([0-9a-f…]+)')
STREAM = re.compile(r'data-events-url="([^"]+)"')
RESULT = re.compile(r"^/submissions/(\d+)/$")
REFUSAL = re.compile(r'id="refusal"><[^>]*notice[^>]*>.*?<p>(.+?)</p>', re.DOTALL)
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Work:
    """A file, and what its checks give it."""

    data: bytes
    score: float

    @property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def manifest_sha256(self) -> str:
        """Of the list of files, as the receipt's page defines it."""
        listed = [{"name": "work.py", "sha256": self.sha256, "size": len(self.data)}]
        return hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class Form:
    """What the form on a lab page sends along: against forgery, and against a double click."""

    csrf: str
    token: str


@dataclass
class Press:
    """One press of *Submit*: what was sent, what came back and after how long. `status` is 0 when nothing came back."""

    email: str
    token: str
    work: Work
    status: int = 0
    submission: int | None = None
    seconds: float = 0.0
    sentence: str = ""
    receipt: str = ""

    @property
    def refused(self) -> bool:
        """The lab page came back with the reason."""
        return self.status == 422


@dataclass
class Seen:
    """What browsers met beside the presses: seconds by kind of page, and sentences about what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    events: int = 0


class Browser:
    """One student's; its cookies are its own, the way out is shared."""

    def __init__(self, way: httpx.AsyncHTTPTransport, url: str, visitor: Visitor, seen: Seen) -> None:
        self._client = httpx.AsyncClient(
            transport=way, base_url=url, cookies={COOKIE: visitor.session}, timeout=PATIENCE_S, trust_env=False
        )
        self._url, self._seen, self.email = url, seen, visitor.email
        self._watching: asyncio.Task[None] | None = None

    async def open_form(self) -> Form | None:
        """The lab page, with what its upload form must send along."""
        await self.leave()
        found = FORM.search(await self.get("lab page", LAB_PAGE))
        if found is None:
            self._seen.errors.append(f"{self.email} found no form on the lab page")
        return Form(found[1], found[2]) if found else None

    async def press(self, form: Form | None, work: Work, *, twice: bool = False) -> list[Press]:
        """Choose a file and press *Submit*; `twice` presses again at once. Without a form there is nothing to press."""
        presses = [Press(self.email, form.token, work) for _ in range(2 if twice else 1)] if form else []
        await asyncio.gather(*(self._press(press, form.csrf) for press in presses if form))
        return presses

    async def look(self, press: Press, *, watch: bool = False) -> None:
        """The page that the answer leads to: its receipt, and with `watch` the stream of events that it opens."""
        if press.submission is None:
            return
        page = await self.get("result page", f"/submissions/{press.submission}/")
        if receipt := RECEIPT.search(page):
            press.receipt = f"{receipt[1]} {receipt[2]}"
        stream = STREAM.search(page)
        if watch and stream:
            self._watching = asyncio.create_task(self._watch(stream[1], press.submission))

    async def hand_in(self, work: Work, *, twice: bool = False, watch: bool = True) -> list[Press]:
        """All of it, one after the other."""
        presses = await self.press(await self.open_form(), work, twice=twice)
        for press in presses[-1:]:
            await self.look(press, watch=watch)
        return presses

    async def get(self, kind: str, path: str) -> str:
        """A page's text, and how long it took. What is no page is an error."""
        started = time.perf_counter()
        try:
            answer = await self._client.get(path)
        except httpx.HTTPError as error:
            self._seen.errors.append(f"{kind}: {type(error).__name__} {error}")
            return ""
        self._seen.seconds.setdefault(kind, []).append(time.perf_counter() - started)
        if answer.status_code != httpx.codes.OK:
            self._seen.errors.append(f"{kind}: status {answer.status_code}")
        return answer.text

    async def _press(self, press: Press, csrf: str) -> None:
        fields = {"csrfmiddlewaretoken": csrf, "client_token": press.token}
        files = {"files": ("work.py", press.work.data, "text/x-python")}
        started = time.perf_counter()
        try:
            answer = await self._client.post(
                f"{LAB_PAGE}submit/", data=fields, files=files, headers={"Referer": self._url + LAB_PAGE}
            )
        except httpx.HTTPError as error:
            press.sentence = f"{type(error).__name__} {error}"
        else:
            press.status = answer.status_code
            found = RESULT.match(answer.headers.get("Location", ""))
            press.submission = int(found[1]) if found else None
            press.sentence = told[1] if (told := REFUSAL.search(answer.text)) else ""
        press.seconds = time.perf_counter() - started

    async def _watch(self, path: str, submission: int) -> None:
        """Follow the stream to its end, and then fetch the result, as live.js does."""
        try:
            async with self._client.stream("GET", path) as answer:
                if answer.status_code != httpx.codes.OK:
                    self._seen.errors.append(f"event stream: status {answer.status_code}")
                async for chunk in answer.aiter_raw():
                    self._seen.events += chunk.count(b"event: progress")
        except httpx.HTTPError as error:
            self._seen.errors.append(f"event stream: {type(error).__name__} {error}")
        else:
            await self.get("result page, graded", f"/submissions/{submission}/")

    async def leave(self) -> None:
        """Go to another page: the stream of the one before ends, and its connection is closed when this returns."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()
