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
from reviews.queue.rows import left_in_queue
from reviews.requests.selectors import open_requests


@dataclass(frozen=True)
class NavItem:
    """A link of the navigation. `icon` is a lucide name; `badge` is a count, or empty."""

    label: str
    url: str
    icon: str
    current: bool
    badge: str = ""


STUDENT_PAGES = (
    ("Overview", "dashboard", "layout-dashboard"),
    ("Labs", "labs", "flask-conical"),
    ("Readings", "readings", "book-open"),
    ("Grades", "grades", "chart-column"),
    ("Schedule", "schedule", "calendar-days"),
)
STAFF_PAGES = (
    ("Queue", "queue", "inbox"),
    ("Requests", "regrade-requests", "message-square-warning"),
    ("Scores", "scores", "table"),
    ("Rubrics", "rubrics", "list-checks"),
    ("Agreement", "agreement", "scale"),
    ("Similar texts", "similar", "copy-check"),
    ("Extensions", "extensions", "calendar-clock"),
    ("People", "people", "users"),
    ("Audit log", "audit", "history"),
)
GRADER_PAGE = ("Grader health", "grader-health", "activity")


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template variables for `base.html`: `nav`, `demo_clock`; a page of an offering adds `offering` and `enrollment`."""
    return {"nav": cache(lambda: navigation(request)), "demo_clock": demo_clock()}


def navigation(request: HttpRequest) -> list[NavItem]:
    """The links of the offering that the page belongs to; none outside of one."""
    enrollment: Enrollment | None = getattr(request, "enrollment", None)
    if enrollment is None:
        return []
    pages = STUDENT_PAGES + (STAFF_PAGES if enrollment.is_staff else ())
    if enrollment.is_staff and enrollment.offering.is_current(clock.now()):
        pages += (GRADER_PAGE,)
    badges = _badges(enrollment) if enrollment.is_staff else {}
    return [_item(request, enrollment, *page, badge=badges.get(page[1], 0)) for page in pages]


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
    url = reverse(name, args=[enrollment.offering.slug])
    here = request.path == url if name == "dashboard" else request.path.startswith(url)
    if name == "labs" and request.path.startswith("/submissions/"):
        here = True
    if name == "readings" and request.path.startswith("/summaries/"):
        here = True
    return NavItem(label, url, icon, current=here, badge=str(badge or ""))
