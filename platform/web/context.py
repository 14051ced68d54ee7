"""What the shell of every page needs: navigation, and the demo's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from config import clock
from courses.models import Enrollment
from projects.presentations.running import OpenTalk, Talks, talks_of
from projects.teams.selectors import waiting_for
from reviews.queue.rows import left_in_queue
from reviews.requests.selectors import open_requests


@dataclass(frozen=True)
class NavItem:
    """A link of the navigation. `icon` is a lucide name; `badge` is a count, or empty; `keys` is its shortcut."""

    label: str
    url: str
    icon: str
    current: bool
    badge: str = ""
    keys: str = ""


@dataclass(frozen=True)
class NavGroup:
    """Links that belong together; the first group has no title."""

    title: str
    items: tuple[NavItem, ...]


# label, URL name, icon
Page = tuple[str, str, str]
COURSE_PAGES: tuple[Page, ...] = (
    ("Overview", "dashboard", "layout-dashboard"),
    ("Labs", "labs", "flask-conical"),
    ("Readings", "readings", "book-open"),
    ("Grades", "grades", "chart-column"),
    ("Schedule", "schedule", "calendar-days"),
)
PROJECT_PAGE: Page = ("Project", "project", "handshake")
ATTENDANCE_PAGE: Page = ("Attendance", "attendance", "user-check")
TALKS_PAGE: Page = ("Talks", "talks", "presentation")
DELIVERABLES_PAGE: Page = ("Deliverables", "deliverables", "file-check")
STAFF_GROUPS: tuple[tuple[str, tuple[Page, ...]], ...] = (
    (
        "Grading",
        (
            ("Queue", "queue", "inbox"),
            ("Requests", "regrade-requests", "message-square-warning"),
            ("Rubrics", "rubrics", "list-checks"),
            ("Agreement", "agreement", "scale"),
            ("Similar texts", "similar", "copy-check"),
        ),
    ),
    (
        "Gradebook",
        (
            ("Scores", "scores", "table"),
            ("Statistics", "statistics", "chart-column-big"),
            ("Grading scheme", "grading", "sliders-horizontal"),
            ("Final grades", "freezing", "snowflake"),
        ),
    ),
    (
        "Class",
        (
            ("People", "people", "users"),
            ("Teams", "teams", "handshake"),
            ("At risk", "at-risk", "life-buoy"),
            ("Extensions", "extensions", "calendar-clock"),
            TALKS_PAGE,
            ATTENDANCE_PAGE,
        ),
    ),
    ("Running", (("Import and export", "exchange", "arrow-left-right"), ("Audit log", "audit", "history"))),
)
GRADER_PAGE: Page = ("Grader health", "grader-health", "activity")
KEYS = {"dashboard": "g h", "labs": "g l", "grades": "g g", "readings": "g r", "schedule": "g s", "project": "g p"}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template variables for `base.html`: `nav`, `open_talk`, `demo_clock`; a page of an offering adds `offering` and `enrollment`."""
    talks = cache(lambda: _talks(request))
    return {
        "nav": cache(lambda: navigation(request, has_talks=talks().planned)),
        "open_talk": cache(lambda: _elsewhere(request, talks().open)),
        "demo_clock": demo_clock(),
    }


def navigation(request: HttpRequest, *, has_talks: bool) -> list[NavGroup]:
    """The links of the offering that the page belongs to; none outside of one. Students find talks once there are any."""
    enrollment: Enrollment | None = getattr(request, "enrollment", None)
    if enrollment is None:
        return []
    badges = _badges(enrollment) if enrollment.is_staff else {"project": waiting_for(enrollment)}
    return [
        NavGroup(title, tuple(_item(request, enrollment, *page, badge=badges.get(page[1], 0)) for page in pages))
        for title, pages in _groups(enrollment, has_talks=has_talks)
    ]


def _groups(enrollment: Enrollment, *, has_talks: bool) -> list[tuple[str, tuple[Page, ...]]]:
    if not enrollment.is_staff:
        return [("", _student_pages(has_talks=has_talks))]
    *groups, (title, pages) = STAFF_GROUPS
    running = (*pages, GRADER_PAGE) if enrollment.offering.is_current(clock.now()) else pages
    course = (*COURSE_PAGES[:3], DELIVERABLES_PAGE, *COURSE_PAGES[3:])
    return [("", course), *groups, (title, running)]


def _talks(request: HttpRequest) -> Talks:
    """One query, and none outside of an offering."""
    enrollment: Enrollment | None = getattr(request, "enrollment", None)
    return talks_of(enrollment) if enrollment else Talks(planned=False, open=None)


def _elsewhere(request: HttpRequest, talk: OpenTalk | None) -> OpenTalk | None:
    """The talk that is open now, on every page but the one that it leads to."""
    return talk if talk and talk.url != request.path else None


def _student_pages(*, has_talks: bool) -> tuple[Page, ...]:
    overview, labs, readings, *rest = COURSE_PAGES
    talks = (TALKS_PAGE,) if has_talks else ()
    return (overview, labs, readings, PROJECT_PAGE, *talks, *rest, ATTENDANCE_PAGE)


def _badges(staff: Enrollment) -> dict[str, int]:
    """What waits for staff, by the page that lists it."""
    return {
        "regrade-requests": open_requests(staff),
        "queue": left_in_queue(staff.offering, staff.user, clock.now()),
    }


def demo_clock() -> datetime | None:
    """The moment that this installation believes in, when it is not the real one."""
    return clock.now() if timedelta(0) != settings.CLOCK_OFFSET else None


def _item(request: HttpRequest, enrollment: Enrollment, label: str, name: str, icon: str, *, badge: int) -> NavItem:
    url, home = (reverse(page, args=[enrollment.offering.slug]) for page in (name, "dashboard"))
    here = request.path == url if name == "dashboard" else request.path.startswith(url)
    is_format = "/format/" in request.path
    if name == "labs" and request.path.startswith("/submissions/") and not is_format:
        here = True
    if name == "readings" and request.path.startswith("/summaries/"):
        here = True
    # topics and the library are reached from the schedule
    if name == "schedule" and request.path.startswith((f"{home}topics/", f"{home}library/")):
        here = True
    # a deliverable lies below the student's project; staff have a list of them instead
    if name in {"project", "deliverables"} and (is_format or request.path.startswith("/deliverables/")):
        here = True
    if name == "deliverables" and request.path.startswith(reverse("project", args=[enrollment.offering.slug])):
        here = True
    return NavItem(label, url, icon, current=here, badge=str(badge or ""), keys=KEYS.get(name, ""))
