"""The gradebook's free texts and pages for the hostile course."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from gradebook.decisions.services import decide, withdraw
from gradebook.presets import weights
from gradebook.services import create_scheme
from tests.platform.web.corpus import some


def decision_reason(course: Any, n: int, text: str) -> None:
    """The reason of a decision that stands, and of one that was withdrawn; one student a text."""
    if not course.offering.components.exists():
        create_scheme(offering=course.offering, weights=weights("A"))
    by, reason = course.instructor.user, f"{text} ..."
    decide(student=course.students[n], part=course.lab, points=None, reason=reason, by=by)
    withdraw(decision=decide(student=course.students[n], part=course.reading, points=None, reason=reason, by=by), by=by)


def pages(course: Any) -> list[tuple[str, str]]:
    """Who looks at what."""
    here = course.offering.slug

    def url(name: str, *args: object) -> str:
        return reverse(name, args=[here, *args])

    keys = [f"lab:{course.lab.slug}", f"reading:{course.reading.slug}"]
    first = course.students[0].pk
    staff = [
        f"{url('scores')}?sort=-final",
        *(url("student-grade", student.pk) for student in course.students[:12]),
        *(url("student-part", student.pk, key) for student in some(course.students) for key in keys),
        f"{url('student-what-if', first)}?{keys[0]}=%3Cscript%3Ealert(1)%3C/script%3E",
    ]
    own = [
        *(url("grades-part", key) for key in keys),
        f"{url('grades-what-if')}?participation=%22%3E%3Cimg src=x onerror=alert(1)%3E",
    ]
    return [*(("instructor", page) for page in staff), *(("student", page) for page in own)]
