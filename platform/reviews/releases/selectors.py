"""The page of an assignment's release: what students would see, what to look at before, and what was released."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median

from django.core.paginator import Page

from assignments.models import Assignment
from audit.models import AuditEvent
from audit.selectors import history_of
from config import clock
from courses.lists import holds, page_of
from courses.models import Enrollment
from reviews.releases.concerns import Concern, concerns_of
from reviews.releases.models import Release
from reviews.releases.plan import PlanRow, plan_of


@dataclass(frozen=True)
class ReleaseCounts:
    """Students by how their score stands. `new` are those that a release would show, flagged ones among them."""

    students: int
    handed_in: int
    new: int
    flagged: int
    released: int
    ungraded: int
    nothing: int


@dataclass(frozen=True)
class ReleasePage:
    """What a release would show. Without a score there is no median; `undoable` is the latest one that can still be undone."""

    assignment: Assignment
    counts: ReleaseCounts
    scores: tuple[Decimal, ...]
    median: Decimal | None
    concerns: tuple[Concern, ...]
    rows: Page[PlanRow]
    releases: tuple[Release, ...]
    undoable: Release | None
    history: tuple[AuditEvent, ...]
    undo_minutes: int
    is_instructor: bool
    is_lab: bool
    q: str
    now: datetime


def release_page(enrollment: Enrollment, assignment: Assignment, *, q: str, number: str, undo_s: int) -> ReleasePage:
    """Everything that staff need before they release. The number of queries does not grow with the class."""
    plan, now = plan_of(assignment), clock.now()
    releases = tuple(assignment.releases.select_related("released_by", "undone_by", "retracted_by"))
    for release in releases:
        release.assignment = assignment
    flagged, nothing = plan.count("flagged"), plan.count("nothing")
    return ReleasePage(
        assignment=assignment,
        counts=ReleaseCounts(
            students=len(plan.rows),
            handed_in=len(plan.rows) - nothing,
            new=plan.count("ready") + flagged,
            flagged=flagged,
            released=plan.count("released"),
            ungraded=plan.count("ungraded"),
            nothing=nothing,
        ),
        scores=plan.scores,
        median=median(plan.scores) if plan.scores else None,
        concerns=concerns_of(plan),
        rows=page_of(_matching(plan.rows, q), number),
        releases=releases,
        undoable=next((release for release in releases if release.can_be_undone(now)), None),
        history=history_of(*releases),
        undo_minutes=max(1, round(undo_s / 60)),
        is_instructor=enrollment.is_instructor,
        is_lab=assignment.lab_id is not None,
        q=q,
        now=now,
    )


def _matching(rows: tuple[PlanRow, ...], q: str) -> tuple[PlanRow, ...]:
    people = ((row, row.enrollment.user) for row in rows)
    return tuple(row for row, user in people if holds(q, user.name, user.sort_name, user.email))
