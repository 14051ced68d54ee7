"""Labs: the best attempt of each student, by its share of the points, with what staff set in place of the report.

The stored columns of reports are enough, but for submissions with an override: those are scored as every other page scores them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models import Q

from assignments.models import Assignment
from config import clock
from gradebook.sources.origins import UNGRADED, Found, Origin, graded
from grader.contract import Outcome
from grading.models import GradeReport
from reviews.models import RubricScore
from reviews.scores import precedence, score_all
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
    shown, pending = _overridden(mine)
    counted = shown if released_only else shown | pending
    scores = _reported(mine) | _scored(counted, for_staff=not released_only)
    numbers, attempts = _handed_in(mine)  # last: whatever has a score by now was handed in before
    for pk, (score, most) in scores.items():
        student, lab, number = numbers[pk]
        attempts[student, lab].offer(pk, number, score, most)
    for pk in shown | pending:
        entry = attempts[numbers[pk][:2]]
        entry.pending |= pk in pending and not released_only
        entry.overridden |= {pk} & counted
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


def _reported(mine: Q) -> dict[int, tuple[Decimal, Decimal]]:
    """By submission, what its latest graded report says: the rows of `grading.selectors.jobs_of`, without the objects."""
    work = Submission.objects.filter(mine).order_by().values("pk")
    reports = GradeReport.objects.filter(outcome=Outcome.GRADED, job__counts=True, job__submission__in=work)
    rows = reports.order_by("job_id").values_list("job__submission_id", "score", "max_score")
    return {pk: (score, most) for pk, score, most in rows}


def _overridden(mine: Q) -> tuple[set[int], set[int]]:
    """Submissions with an override that their students see, and those with one that they do not see yet."""
    work = Submission.objects.filter(mine).order_by().values("pk")
    rows = RubricScore.objects.filter(submission__in=work).order_by().values_list("submission_id", "released_at")
    listed = list(rows)
    return {pk for pk, at in listed if at is not None}, {pk for pk, at in listed if at is None}


def _scored(pks: Iterable[int], *, for_staff: bool) -> dict[int, tuple[Decimal, Decimal]]:
    """Those with overrides, as every other page scores them."""
    rows = score_all(Submission.objects.filter(pk__in=list(pks)).order_by("pk"), for_staff=for_staff)
    return {
        row.submission.pk: (row.score, row.max_score)
        for row in rows
        if row.score is not None and row.max_score is not None
    }
