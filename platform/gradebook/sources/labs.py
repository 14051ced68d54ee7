"""Labs: the best attempt of each student, by its share of the points, with what staff set in place of the report.

The stored columns of reports are enough, but for submissions with an override: of those the points in the report are read too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import FloatField, Q
from django.db.models.functions import Cast

from assignments.models import Assignment
from config import clock
from gradebook.sources.origins import UNGRADED, Found, Origin, graded
from grader.contract import Outcome
from grading.models import GradeReport
from reviews.models import RubricScore
from reviews.scores import points, points_of_reports, precedence, with_overrides
from submissions.models import Submission


@dataclass
class _Attempts:
    """One student at one lab: the latest attempt, how many there are, and the best one that has a score, with its points."""

    pk: int
    number: int
    made: int = 0
    best: tuple[int, int, Decimal, Decimal] | None = None
    overridden: set[int] = field(default_factory=set)
    pending: bool = False

    def offer(self, pk: int, number: int, score: Decimal, most: Decimal) -> None:
        """Keep this attempt where it counts before the best one so far."""
        if self.best is None or precedence(score, most, number) > precedence(*self.best[2:], self.best[1]):
            self.best = (pk, number, score, most)

    def found(self, *, settled: bool) -> Found:
        """What the gradebook knows of it."""
        if self.best is None:
            return Found(UNGRADED, Origin(self.pk, self.number, self.made, pending=self.pending))
        pk, number, score, most = self.best
        overridden, settled = pk in self.overridden, settled and not self.pending
        return Found(graded(score, most), Origin(pk, number, self.made, overridden, self.pending, settled))


def lab_scores(
    labs: Collection[Assignment], students: Collection[int] | None = None, *, released_only: bool = False
) -> dict[tuple[int, int], Found]:
    """By ids of student and lab, for everyone who handed in; of `students` alone where given. Seven queries.

    With `released_only`, overrides that students do not see yet are left out.
    """
    mine = Q(assignment__in=[lab.pk for lab in labs])
    if students is not None:
        mine &= Q(enrollment__in=students)
    overrides = _overrides(mine)
    pending = {row.submission for row in overrides if row.released_at is None}
    given = [row for row in overrides if row.released_at is not None or not released_only]
    scores = _with_overrides(_reported(mine), given)
    numbers, attempts = _handed_in(mine)  # last: whatever has a score by now was handed in before
    for pk, (score, most) in scores.items():
        student, lab, number = numbers[pk]
        attempts[student, lab].offer(pk, number, score, most)
    for row in given:
        entry = attempts[numbers[row.submission][:2]]
        entry.pending |= row.submission in pending
        entry.overridden.add(row.submission)
    now = clock.now()
    settled = {lab.pk for lab in labs if lab.is_released(now)}
    return {key: entry.found(settled=key[1] in settled) for key, entry in attempts.items()}


def _handed_in(mine: Q) -> tuple[dict[int, tuple[int, int, int]], dict[tuple[int, int], _Attempts]]:
    """By submission: student, lab and number; and by student and lab the attempts, without scores yet."""
    numbers: dict[int, tuple[int, int, int]] = {}
    attempts: dict[tuple[int, int], _Attempts] = {}
    rows = Submission.objects.filter(mine).order_by("pk")
    for pk, student, lab, number in rows.values_list("pk", "enrollment_id", "assignment_id", "number"):
        numbers[pk] = (student, lab, number)
        entry = attempts.setdefault((student, lab), _Attempts(pk, number))
        entry.pk, entry.number, entry.made = pk, number, entry.made + 1
    return numbers, attempts


class _Reported(NamedTuple):
    """What the latest graded report of a submission says."""

    report: int
    score: Decimal
    most: Decimal


class _Override(NamedTuple):
    """What staff gave to a task of a submission in place of the report."""

    submission: int
    task: str
    score: Decimal
    released_at: datetime | None


def _reported(mine: Q) -> dict[int, _Reported]:
    """By submission, what its latest graded report says: the rows of `grading.selectors.jobs_of`, without the objects."""
    work = Submission.objects.filter(mine).order_by().values("pk")
    reports = GradeReport.objects.filter(outcome=Outcome.GRADED, job__counts=True, job__submission__in=work)
    rows = reports.order_by("job_id").values_list(
        "job__submission_id", "pk", _as_float("score"), _as_float("max_score")
    )
    return {submission: _Reported(pk, points(score), points(most)) for submission, pk, score, most in rows}


def _as_float(column: str) -> Cast:
    """A column of hundredths without Django's conversion of each value, which is most of what SQLite's columns cost."""
    return Cast(column, FloatField())


def _overrides(mine: Q) -> list[_Override]:
    work = Submission.objects.filter(mine).order_by().values("pk")
    rows = RubricScore.objects.filter(submission__in=work).order_by()
    return [_Override(*row) for row in rows.values_list("submission_id", "item__task_id", "score", "released_at")]


def _with_overrides(reported: dict[int, _Reported], given: Iterable[_Override]) -> dict[int, tuple[Decimal, Decimal]]:
    """By submission the score of how much, as every other page scores it."""
    by_submission: dict[int, list[tuple[str, Decimal]]] = {}
    for row in given:
        by_submission.setdefault(row.submission, []).append((row.task, row.score))
    needed = points_of_reports([reported[pk].report for pk in by_submission if pk in reported])
    scores = {pk: (row.score, row.most) for pk, row in reported.items()}
    for pk, overridden in by_submission.items():
        if found := reported.get(pk):
            scores[pk] = (with_overrides(found.score, needed[found.report], overridden), found.most)
    return scores
