"""Scores by hand: the marks of the counting review and the adjustments. They are read from the rows, never stored as a sum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Max, QuerySet

from assignments.models import Assignment
from courses.models import Enrollment
from reviews.marking.models import Adjustment, Mark, Review
from submissions.models import Submission


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
    """The submission that counts of each active student, for each assignment: the last one before the due moment. One query."""
    students = Enrollment.objects.students().order_by().values("pk")
    newest = (
        Submission.objects.filter(assignment__in=assignments, enrollment__in=students)
        .order_by()
        .values("assignment", "enrollment")
        .annotate(newest=Max("pk"))
        .values("newest")
    )
    return Submission.objects.filter(pk__in=newest)


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


def _score(submission: Submission, review: Review, adjustments: list[Adjustment]) -> HandScore:
    marks = tuple(review.marks.all())
    return HandScore(
        submission=submission,
        review=review,
        marks=marks,
        adjustments=tuple(adjustments),
        points=sum((mark.points for mark in marks), Decimal(0)),
    )
