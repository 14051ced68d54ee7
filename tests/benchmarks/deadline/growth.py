"""How long pages take as the course grows: 60, 600 and 6,000 stored students with three graded submissions each, on a quiet site."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import median

import httpx

from .browser import Browser, Seen
from .installation import Installation
from .names import LAB_PAGE, OFFERING, Visitor
from .rush import work_of

SIZES = (60, 600, 6000)
EACH = 3
STUDENT_PAGES = {
    "overview": f"/o/{OFFERING}/",
    "labs": f"/o/{OFFERING}/labs/",
    "lab page": LAB_PAGE,
    "attempts": f"{LAB_PAGE}attempts/",
    "grades": f"/o/{OFFERING}/grades/",
    "readings": f"/o/{OFFERING}/readings/",
}
STAFF_PAGES = {
    "overview, staff": f"/o/{OFFERING}/",
    "submissions, staff": f"{LAB_PAGE}submissions/",
    "scores, staff": f"/o/{OFFERING}/scores/",
    "people, staff": f"/o/{OFFERING}/people/",
}


def growth(place: Installation, sizes: Sequence[int] = SIZES, repeats: int = 9) -> dict[str, list[float]]:
    """Median seconds of each page and of a submission, at each size."""
    found: dict[str, list[float]] = {}
    there = 0
    for size in sizes:
        *students, staff = place.enroll(students=size - there, submissions=EACH)
        there = size
        for name, seconds in asyncio.run(_look(place, students[0], staff, repeats)).items():
            found.setdefault(name, []).append(seconds)
    return found


async def _look(place: Installation, student: Visitor, staff: Visitor, repeats: int) -> dict[str, float]:
    seen = Seen()
    async with httpx.AsyncHTTPTransport() as way:
        for visitor, pages in ((student, STUDENT_PAGES), (staff, STAFF_PAGES)):
            browser = Browser(way, place.stack.url, visitor, seen)
            for name, path in pages.items():
                for _ in range(repeats):
                    await browser.get(name, path)
        presses = await _submit(Browser(way, place.stack.url, student, seen))
    if seen.errors:
        raise RuntimeError(f"pages went wrong: {seen.errors[:3]}")
    pages = {name: median(seen.seconds[name]) for name in (*STUDENT_PAGES, *STAFF_PAGES)}
    return {"submit": median(presses), **pages}


async def _submit(browser: Browser) -> list[float]:
    """Four submissions: the fifth would be told that too many wait, since nothing is graded here."""
    made = [(await browser.hand_in(work_of(0, number)))[0] for number in range(4)]
    await browser.leave()
    assert all(press.submission for press in made), made
    return [press.seconds for press in made]
