"""How a student's summaries stand: one chip a reading, for the first page and for the reading list."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from assignments.selectors import due_dates
from courses.models import Enrollment
from courses.pages import StateChip, day
from readings.models import Reading
from reviews.marking.scores import HandScore, hand_scores
from reviews.marking.services import number
from reviews.models import RubricItem
from reviews.releases.standing import released_since
from submissions.models import Draft, Submission


@dataclass(frozen=True)
class SummaryState:
    """One reading as one student sees it in a list. `url` is None while it is not open; `score` is there once it is released.

    `written` counts the items of the draft that have text, of `items`.
    """

    reading: Reading
    due_at: datetime
    url: str | None
    chip: StateChip
    written: int
    items: int
    latest: Submission | None
    score: HandScore | None
    accepts: bool


def summary_states(
    enrollment: Enrollment, now: datetime, readings: Iterable[Reading] | None = None
) -> dict[int, SummaryState]:
    """By assignment id, in the order of the list; without `readings`, all that the student may see. Thirteen queries at most."""
    if readings is None:
        readings = Reading.objects.seen_by(enrollment)
    listed = {reading.assignment_id: reading for reading in readings}
    due = due_dates(enrollment, [reading.assignment for reading in listed.values()])
    items = _items(listed)
    drafts = dict(
        Draft.objects.filter(enrollment=enrollment, assignment__in=listed).values_list("assignment_id", "cells")
    )
    latest = _latest(enrollment, listed)
    scores, shown = hand_scores(latest.values()), released_since(latest.values())
    states = {}
    for pk, reading in listed.items():
        submission = latest.get(pk)
        names = items.get(pk, [])
        states[pk] = _state(
            enrollment,
            reading,
            due_at=due[pk],
            now=now,
            written=written(drafts.get(pk, {}), names),
            items=len(names),
            latest=submission,
            score=scores.get(submission.pk) if submission else None,
            released=submission is not None and submission.pk in shown,
        )
    return states


def written(cells: dict[str, str], names: Iterable[str]) -> int:
    """How many of these items have text in a draft."""
    return sum(bool(cells.get(name, "").strip()) for name in names)


def chip_of(
    reading: Reading,
    *,
    now: datetime,
    accepts: bool,
    written: int,
    items: int,
    latest: Submission | None,
    score: HandScore | None,
    released: bool,
) -> StateChip:
    """Not started, draft, handed in, graded, released with its score, or past."""
    if latest is not None:
        return _handed_in(latest, score, released=released)
    if not reading.assignment.is_open(now):
        return StateChip("muted", f"Opens {day(reading.assignment.opens_at)}")
    if not accepts:
        return StateChip("fail", "Not handed in")
    return StateChip("warn", f"Draft, {written} of {items}") if written else StateChip("muted", "Not started")


def _handed_in(latest: Submission, score: HandScore | None, *, released: bool) -> StateChip:
    if released:
        if score is None:
            return StateChip("warn", "Not graded yet")
        return StateChip("pass", f"{number(score.total)} of {number(score.points)}")
    if score is not None:
        return StateChip("warn", "Graded, not released")
    return StateChip("pass", f"Handed in {latest.receipt_number}")


def _state(
    enrollment: Enrollment,
    reading: Reading,
    *,
    due_at: datetime,
    now: datetime,
    written: int,
    items: int,
    latest: Submission | None,
    score: HandScore | None,
    released: bool,
) -> SummaryState:
    assignment = reading.assignment
    is_open = assignment.is_open(now)
    accepts = is_open and now.replace(microsecond=0) <= due_at
    return SummaryState(
        reading=reading,
        due_at=due_at,
        url=reverse("reading", args=[enrollment.offering.slug, assignment.slug]) if is_open else None,
        chip=chip_of(
            reading,
            now=now,
            accepts=accepts,
            written=written,
            items=items,
            latest=latest,
            score=score,
            released=released,
        ),
        written=written,
        items=items,
        latest=latest,
        score=score if released else None,
        accepts=accepts,
    )


def _items(assignments: Collection[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    rows = RubricItem.objects.filter(rubric__assignment__in=assignments).values_list("rubric__assignment", "task_id")
    for pk, name in rows:
        found.setdefault(pk, []).append(name)
    return found


def _latest(enrollment: Enrollment, assignments: Collection[int]) -> dict[int, Submission]:
    """The attempt that counts: the last one."""
    submissions = Submission.objects.filter(enrollment=enrollment, assignment__in=assignments)
    return {submission.assignment_id: submission for submission in submissions.order_by("pk")}
