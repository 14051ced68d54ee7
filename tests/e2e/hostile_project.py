"""The hostile course's words of a project: what teams say of themselves, and what a PDF does. Each fills text number `n` of the course."""

from __future__ import annotations

from typing import Any

from config import clock
from grader.contract import (
    Finding,
    FindingState,
    FormatReport,
    PageSize,
    PaperStyle,
    PartLength,
    Place,
    SectionLength,
)
from projects.format.models import FormatCheck
from projects.teams.models import Invitation, Membership, Seeker, Team
from submissions import storage


def team_words(course: Any, n: int, text: str) -> None:
    """Name, topic and size exception of a team; a reason of staff; a post, and an invitation of the first student's team."""
    now, staff = clock.now(), course.instructor.user
    made = Team.objects.create(
        offering=course.offering, name=f"{text[:70]} {n}", topic=text[:300], created_at=now, size_exception=text
    )
    if n % 2:
        Seeker.objects.create(enrollment=course.students[n], text=text, posted_at=now)
        first = Team.objects.filter(memberships__enrollment=course.students[0]).first()
        if first:
            Invitation.objects.create(team=first, enrollment=course.students[n], invited_by=staff, invited_at=now)
    else:
        Membership.objects.create(
            team=made, enrollment=course.students[n], joined_at=now, placed_by=staff, placed_from=made, reason=text
        )


def format_words(course: Any, n: int, text: str) -> None:
    """What a PDF says of itself: headings, names, fonts; and what its reader said of it. Every third cannot be read, every third failed."""
    place = Place(1, 10.0, 20.0, 30.0, 40.0)
    findings = tuple(Finding(f"rule-{state}", text, state, text, text, text, (place,)) for state in FindingState)
    sections = (SectionLength(text, "", 1, 0.5), SectionLength(text, text, 1, 0.5))
    report = FormatReport(
        PaperStyle.NEURIPS_2020,
        (PageSize(1, 612.0, 792.0),),
        1,
        findings,
        sections,
        (PartLength(text, 1.0, 0.5),),
        (text,),
    )
    now, file = clock.now(), course.work[n].files.first()
    ended = (
        {"finished_at": now, "data": report.to_json().decode()},
        {"finished_at": now, "refusal": text},
        {"failed_at": now, "error": text},
    )
    check = FormatCheck.objects.create(file=file, requested_at=now, **ended[n % 3])
    course.formats[n] = check
    check.pictures.create(page=1, sha256=storage.store(b"no picture"), width=85, height=110)
