"""What the pages of corrections and of participation points show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import QueryDict

from attendance.forms import CorrectionForm, PointsForm
from attendance.models import ParticipationPoint
from attendance.rule import Rule
from attendance.scores import rules_of
from attendance.selectors import students_of
from courses.lists import PER_PAGE, holds
from courses.models import Enrollment

MOST_FOUND = 12


@dataclass(frozen=True)
class CorrectionPage:
    """The form; `back` is "student" where one student's page asked for it."""

    form: CorrectionForm
    back: str


@dataclass(frozen=True)
class PointsPage:
    """The form, the students who were found by name, and the points that were given, newest first."""

    form: PointsForm
    found: tuple[Enrollment, ...]
    more: int
    given: Page[ParticipationPoint]
    rule: Rule
    q: str


def correction_form(viewer: Enrollment, data: QueryDict | None = None, **options: Any) -> CorrectionForm:
    """The form with the offering's students and sessions. Two queries."""
    sessions = list(viewer.offering.sessions.order_by("date", "week", "number"))
    return CorrectionForm(
        data, offering=viewer.offering, students=students_of(viewer.offering, ""), sessions=sessions, **options
    )


def correction_page(viewer: Enrollment, asked: Mapping[str, str]) -> CorrectionPage:
    """The empty form, with the session or the student that the address names."""
    initial = {
        "sessions": [int(pk) for pk in (asked.get("session", ""),) if pk.isdecimal() and len(pk) < 19],
        "students": [int(pk) for pk in (asked.get("student", ""),) if pk.isdecimal() and len(pk) < 19],
        "presence": "excused" if "student" in asked else "present",
    }
    return CorrectionPage(correction_form(viewer, initial=initial), back="student" if "student" in asked else "")


def points_page(
    viewer: Enrollment, *, q: str, number: str, form: PointsForm | None = None, kept: Mapping[str, str] | None = None
) -> PointsPage:
    """Students are found by what was typed of their name; `kept` are the points and the reason of the entry before. Four queries."""
    everyone = students_of(viewer.offering, "")
    found = [row for row in everyone if q and holds(q, row.user.name, row.user.sort_name, row.user.email)]
    given = ParticipationPoint.objects.filter(enrollment__offering=viewer.offering)
    given = given.select_related("enrollment__user", "given_by", "withdrawn_by", "session").order_by("-given_at", "-pk")
    return PointsPage(
        form=form or PointsForm(students=everyone, initial={name: text for name, text in (kept or {}).items() if text}),
        found=tuple(found[:MOST_FOUND]),
        more=len(found) - MOST_FOUND,
        given=Paginator(given, PER_PAGE).get_page(number),
        rule=rules_of(viewer.offering).rule,
        q=q,
    )
