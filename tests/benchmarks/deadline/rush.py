"""The rush: everybody hands in at random moments of the minute, and then all wait for the last score."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from .audit import Findings, audit
from .browser import Browser, Press, Seen, Work
from .installation import Installation
from .names import Visitor

RIGHT = "def add(a, b):\n    return a + b\n\ndef scale(a, factor):\n    return a * factor\n"
HALF = "def add(a, b):\n    return a + b\n\ndef scale(a, factor):\n    return a\n"
PRESSES_TWICE = 0.1
WARM_UPS, WARM_UP_S = 4, 120.0


@dataclass(frozen=True)
class Plan:
    """How many hand in, how often, within how long, and how long the last score is waited for; the same seed makes the same rush."""

    students: int
    each: int = 3
    seconds: float = 60.0
    patience_s: float = 1200.0
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
    dice = random.Random(plan.seed)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncHTTPTransport(limits=limits) as way:
        browsers = [Browser(way, place.stack.url, student, seen) for student in students]
        started = time.perf_counter()
        visits = []
        for number, browser in enumerate(browsers):
            moments = sorted(started + dice.uniform(0, plan.seconds) for _ in range(plan.each))
            twice = [dice.random() < PRESSES_TWICE for _ in moments]
            visits.append(_student(browser, number, list(zip(moments, twice, strict=True))))
        presses = [press for made in await asyncio.gather(*visits) for press in made]
        sent = time.perf_counter() - started
        await _until_graded(place, started + sent + plan.patience_s)
        for browser in browsers:
            browser.leave()
        return presses, sent


async def _student(browser: Browser, number: int, moments: Sequence[tuple[float, bool]]) -> list[Press]:
    """One student's minute. Who is still waiting for an answer when the next moment comes hands in right after it."""
    presses = []
    for attempt, (moment, twice) in enumerate(moments):
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        presses += await browser.hand_in(work_of(number, attempt), twice=twice)
    return presses


async def _until_graded(place: Installation, deadline: float, every_s: float = 0.5) -> None:
    while await asyncio.to_thread(place.reader.still_waiting) and time.perf_counter() < deadline:
        place.stack.check()
        await asyncio.sleep(every_s)
