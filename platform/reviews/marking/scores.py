"""Scores by hand: the marks of the counting review and the adjustments. They are read from the rows, never stored as a sum."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F, Max, Q, QuerySet

from assignments.models import Assignment
from courses.models import Enrollment
from reviews.marking.models import Adjustment, Mark, Review
from reviews.models import RubricLevel
from submissions.models import Author, Submission


@dataclass(frozen=True)
class HandScore:
    """What a submission got by hand. `total` never leaves 0 to `points`."""

    submission: Submission
    review: Review
    marks: tuple[Mark, ...]
    adjustments: tuple[Adjustment, ...]
    points: Decimal

    @property
    def total(self) -> Decimal:
        """Marks and adjustments together."""
        whole = sum((mark.score for mark in self.marks), Decimal(0))
        whole += sum((adjustment.points for adjustment in self.adjustments), Decimal(0))
        return min(max(whole, Decimal(0)), self.points)


def latest_submissions(*assignments: Assignment) -> QuerySet[Submission]:
    """The submissions that count, each once: the latest one of each active student, whether alone or shared. One query."""
    alone, shared = _latest_alone(assignments, _students()), _latest_shared(assignments)
    return Submission.objects.filter(Q(pk__in=alone.values("newest")) | Q(pk__in=shared.values("newest")))


def latest_of_students(*assignments: Assignment, students: Collection[int] | None = None) -> dict[tuple[int, int], int]:
    """By ids of enrollment and assignment, the id of the submission that counts: of shared work, the last one that the student is an
    author of. Of `students`, by their ids, or of all active ones. Two queries."""
    alone = _latest_alone(assignments, _students() if students is None else students)
    authors = Author.objects.filter(submission__assignment__in=assignments).order_by()
    authors = authors.of_active_students() if students is None else authors.filter(enrollment__in=students)
    shared = authors.values_list("submission", "enrollment", "submission__assignment")
    rows = sorted([*alone.values_list("newest", "student", "work"), *shared])
    return {(student, work): newest for newest, student, work in rows}


def _latest_alone(assignments: Iterable[Assignment], whose: Any) -> QuerySet[Any, Any]:
    work = Submission.objects.filter(assignment__in=assignments, enrollment__in=whose, authors=None).order_by()
    return work.values(work=F("assignment"), student=F("enrollment")).annotate(newest=Max("pk"))


def _latest_shared(assignments: Iterable[Assignment]) -> QuerySet[Any, Any]:
    work = Author.objects.of_active_students().filter(submission__assignment__in=assignments).order_by()
    return work.values(work=F("submission__assignment"), student=F("enrollment")).annotate(newest=Max("submission"))


def _students() -> QuerySet[Any, Any]:
    return Enrollment.objects.students().order_by().values("pk")


def hand_scores(submissions: Iterable[Submission]) -> dict[int, HandScore]:
    """By submission id; one that is not graded is not in it. Four queries, however many there are."""
    listed = {submission.pk: submission for submission in submissions}
    reviews = (
        Review.objects.counting().filter(submission__in=listed).select_related("grader").prefetch_related("marks__item")
    )
    adjustments: dict[int, list[Adjustment]] = {}
    for adjustment in Adjustment.objects.filter(submission__in=listed).select_related("made_by"):
        adjustments.setdefault(adjustment.submission_id, []).append(adjustment)
    return {
        review.submission_id: _score(listed[review.submission_id], review, adjustments.get(review.submission_id, []))
        for review in reviews
    }


def labels_of(items: Collection[int]) -> dict[tuple[int, Decimal], str]:
    """What points of these items mean, by item id and points, where a level of the rubric says so. One query."""
    levels = RubricLevel.objects.filter(item__in=items)
    return {(level.item_id, level.points): level.label for level in levels}


def _score(submission: Submission, review: Review, adjustments: list[Adjustment]) -> HandScore:
    marks = tuple(review.marks.all())
    return HandScore(
        submission=submission,
        review=review,
        marks=marks,
        adjustments=tuple(adjustments),
        points=sum((mark.points for mark in marks), Decimal(0)),
    )
