"""The released score of one submission as its student sees it, whoever gave it: checks with staff's overrides, or a grader's marks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts.models import User
from assignments.models import Assignment, Kind
from config import clock
from grading.selectors import JobsOfSubmission, jobs_of
from reviews.marking.models import Review
from reviews.marking.scores import hand_scores
from reviews.models import RubricItem, RubricLevel
from reviews.releases.standing import released_since
from reviews.scores import score_all, task_scores, visible
from submissions.models import Submission


@dataclass(frozen=True)
class ItemNow:
    """One item of the score; without a mark (the rubric has grown since) `score` is None."""

    item: RubricItem
    score: Decimal | None
    comment: str
    levels: tuple[RubricLevel, ...]


@dataclass(frozen=True)
class ScoreNow:
    """The score, its items, and who gave it; `revision` is the review's, 0 where checks gave the score."""

    score: Decimal
    points: Decimal
    items: tuple[ItemNow, ...]
    grader: User | None
    revision: int


def by_hand(assignment: Assignment) -> bool:
    """Whether a grader's marks are its score, and not the checks of a lab."""
    return assignment.kind != Kind.LAB


def shown_since(submission: Submission) -> datetime | None:
    """Since when its student may see the released score; None before. What a release is, is asked here and nowhere else in this part."""
    assignment = submission.assignment
    if by_hand(assignment):
        return released_since([submission]).get(submission.pk)
    return assignment.released_at if assignment.is_released(clock.now()) else None


def has_score(submission: Submission) -> bool:
    """Whether there is one at all. Two queries at most."""
    if by_hand(submission.assignment):
        return Review.objects.counting().filter(submission=submission).exists()
    return jobs_of([submission.pk]).get(submission.pk, JobsOfSubmission()).graded is not None


def score_now(submission: Submission, *, about: RubricItem | None = None) -> ScoreNow | None:
    """The score, or None where there is none yet. `about` narrows down whose grading it is, where tasks were set by hand."""
    return _marked(submission) if by_hand(submission.assignment) else _checked(submission, about)


def _marked(submission: Submission) -> ScoreNow | None:
    found = hand_scores([submission]).get(submission.pk)
    if found is None:
        return None
    marks = {mark.item_id: mark for mark in found.marks}
    rows = []
    for item in _items(submission):
        mark = marks.get(item.pk)
        levels = tuple(item.levels.all())
        rows.append(ItemNow(item, mark.score if mark else None, mark.comment if mark else "", levels))
    return ScoreNow(found.total, found.points, tuple(rows), found.review.grader, found.review.revision)


def _checked(submission: Submission, about: RubricItem | None) -> ScoreNow | None:
    scored = score_all([submission], for_staff=False)[0]
    graded = jobs_of([submission.pk]).get(submission.pk, JobsOfSubmission()).graded
    if graded is None or scored.score is None:
        return None
    overrides = visible(submission.overrides.select_related("item", "overridden_by"), for_staff=False)
    given = task_scores(graded.report, ((row.item.task_id, row.score) for row in overrides))
    rows = tuple(ItemNow(item, given[item.task_id], "", ()) for item in _items(submission) if item.task_id in given)
    concerned = [row for row in overrides if about is None or row.item_id == about.pk]
    latest = max(concerned, key=lambda row: row.overridden_at, default=None)
    grader = latest.overridden_by if latest else None
    return ScoreNow(scored.score, scored.max_score or submission.assignment.points, rows, grader, 0)


def _items(submission: Submission) -> list[RubricItem]:
    items = RubricItem.objects.filter(rubric__assignment=submission.assignment_id)
    return list(items.order_by("position").prefetch_related("levels"))
