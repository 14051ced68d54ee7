"""The rush: everybody hands in at random moments of the minute, and then all wait for the last score."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from .audit import Findings, audit
from .browser import Browser, Form, Press, Seen, Work
from .installation import Installation
from .names import Visitor

RIGHT = "def add(a, b):\n    return a + b\n\ndef scale(a, factor):\n    return a * factor\n"
HALF = "def add(a, b):\n    return a + b\n\ndef scale(a, factor):\n    return a\n"
PRESSES_TWICE = 0.1
# a connection is given up before the server does so, as browsers and proxies see to
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2.0)
WARM_UPS, WARM_UP_S = 4, 120.0


@dataclass(frozen=True)
class Plan:
    """How many hand in, how often, within how long, and how long the last score is waited for; the same seed makes the same rush.

    With `watch` everything that a browser does lies within the rush: it opens the lab page before each press, goes to the result page
    after it, and follows the grading there. Without, the lab pages stand open before the clock runs, one a press, and the results are
    read when all is graded.
    """

    students: int
    each: int = 3
    seconds: float = 60.0
    patience_s: float = 1200.0
    watch: bool = False
    seed: int = 498


@dataclass(frozen=True)
class Outcome:
    """What the rush left behind. Seconds are counted from its first moment."""

    presses: list[Press]
    seen: Seen
    findings: Findings
    sent_s: float
    scored_s: float
    graded_within: int
    alone_s: float
    locked: int
    cpu_s: dict[str, float]


def rush(place: Installation, plan: Plan) -> Outcome:
    """Enroll, warm up, hand in, wait for the last score, read the database."""
    *students, _ = place.enroll(students=plan.students)
    seen = Seen()
    first, alone = asyncio.run(_warm_up(place))
    before, moment = place.cpu_s(), datetime.now(UTC)
    cpu = time.process_time()
    presses, sent = asyncio.run(_hand_in(place, plan, students, seen))
    after = {"the load itself": time.process_time() - cpu}
    after |= {name: used - before[name] for name, used in place.cpu_s().items()}
    findings = audit(place.reader, place.stack.data / "files", presses, besides=first)
    scored = [(at - moment).total_seconds() for at in findings.finished_at]
    return Outcome(
        presses=presses,
        seen=seen,
        findings=findings,
        sent_s=sent,
        scored_s=max(scored, default=0.0),
        graded_within=sum(at <= plan.seconds for at in scored),
        alone_s=alone,
        locked=place.log_lines("database is locked"),
        cpu_s=after,
    )


def work_of(student: int, attempt: int) -> Work:
    """A small file like no other; every third forgets a task."""
    source, score = (HALF, 6.0) if (student + attempt) % 3 == 0 else (RIGHT, 10.0)
    return Work(f"{source}\n# student {student}, attempt {attempt}\n".encode(), score)


async def _warm_up(place: Installation) -> tuple[list[Press], float]:
    """Submissions on a quiet site, until workers are up and their sandboxes warm; the last one's seconds from press to report."""
    guest, seen, presses = place.enroll(students=1)[0], Seen(), []
    async with httpx.AsyncHTTPTransport() as way, Browser(way, place.stack.url, guest, seen) as browser:
        for number in range(WARM_UPS):
            presses += await browser.hand_in(work_of(-1, number))
            started = time.perf_counter() - presses[-1].seconds
            await _until_graded(place, started + WARM_UP_S, every_s=0.02)
    if seen.errors or not all(press.submission for press in presses):
        raise RuntimeError(f"the site does not take submissions: {presses} {seen.errors}")
    return presses, time.perf_counter() - started


async def _hand_in(
    place: Installation, plan: Plan, students: Sequence[Visitor], seen: Seen
) -> tuple[list[Press], float]:
    """Everybody's presses, and how long it took until the last was answered; returns when the last score is there."""
    async with httpx.AsyncHTTPTransport(limits=LIMITS) as way:
        browsers = [Browser(way, place.stack.url, student, seen) for student in students]
        minutes = _minutes(plan, browsers)
        if not plan.watch:
            await _each(_open_forms(minute) for minute in minutes)
        started = time.perf_counter()
        await asyncio.gather(*(_live(minute, started, watch=plan.watch) for minute in minutes))
        sent = time.perf_counter() - started
        await _until_graded(place, started + sent + plan.patience_s)
        if not plan.watch:
            await _each(_read_results(minute) for minute in minutes)
        for browser in browsers:
            await browser.leave()
        return [press for minute in minutes for press in minute.presses], sent


@dataclass
class Minute:
    """One student's part: when to press what, and what came of it."""

    browser: Browser
    moments: list[float]
    twice: list[bool]
    works: list[Work]
    forms: list[Form | None] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)


def _minutes(plan: Plan, browsers: Sequence[Browser]) -> list[Minute]:
    dice = random.Random(plan.seed)
    return [
        Minute(
            browser,
            sorted(dice.uniform(0, plan.seconds) for _ in range(plan.each)),
            [dice.random() < PRESSES_TWICE for _ in range(plan.each)],
            [work_of(number, attempt) for attempt in range(plan.each)],
        )
        for number, browser in enumerate(browsers)
    ]


async def _live(minute: Minute, started: float, *, watch: bool) -> None:
    """Press at each moment. Who still waits for an answer then presses right after it."""
    for attempt, moment in enumerate(minute.moments):
        await asyncio.sleep(max(0.0, started + moment - time.perf_counter()))
        work, twice = minute.works[attempt], minute.twice[attempt]
        if watch:
            minute.presses += await minute.browser.hand_in(work, twice=twice)
        else:
            minute.presses += await minute.browser.press(minute.forms[attempt], work, twice=twice)


async def _open_forms(minute: Minute) -> None:
    minute.forms = [await minute.browser.open_form() for _ in minute.moments]


async def _read_results(minute: Minute) -> None:
    for press in minute.presses:
        await minute.browser.look(press)


async def _each(visits: Iterable[Coroutine[None, None, None]]) -> None:
    """A few at a time: what is not measured need not be a rush."""
    gate = asyncio.Semaphore(4)

    async def one(visit: Coroutine[None, None, None]) -> None:
        async with gate:
            await visit

    await asyncio.gather(*map(one, visits))


async def _until_graded(place: Installation, deadline: float, every_s: float = 0.5) -> None:
    while await asyncio.to_thread(place.reader.still_waiting) and time.perf_counter() < deadline:
        place.stack.check()
        await asyncio.sleep(every_s)
