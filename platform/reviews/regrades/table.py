"""Old score beside new score, student by student: computed while a regrade is a dry run, read from its record afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Literal

from courses.models import Enrollment
from grader.contract import GradeReport as Report
from grader.contract import Outcome
from grading.models import GradeReport, GradingJob, Status
from grading.selectors import jobs_of
from reviews.lists import CheckChange, check_changes
from reviews.models import RubricScore
from reviews.regrades.changes import direction
from reviews.regrades.models import Act, LabRegrade, LabRegradeItem
from reviews.regrades.standings import Number, class_submissions, numbers, standings
from reviews.scores import auto_scores, points
from submissions.models import Submission

Group = Literal["up", "down", "same", "no score"]
ORDER: tuple[Group, ...] = ("down", "up", "no score", "same")


@dataclass(frozen=True)
class TaskChange:
    """A task whose checks give other points than before, or are out of others."""

    id: str
    before: Decimal
    after: Decimal
    before_max: Decimal
    after_max: Decimal


@dataclass(frozen=True)
class Problem:
    """A run that gave no score, so that its attempt keeps the one it has. `ours`: by our fault."""

    submission_pk: int
    number: int
    student: str
    label: str
    ours: bool
    detail: str


@dataclass(frozen=True)
class RegradeRow:
    """One student. The submission is the one that counts afterwards; `ran`: it is among those that ran again.

    What changed in tasks and checks is about the attempt `ran_number`. `group` is which way the score goes;
    "no score" where it stays because a run gave none.
    """

    student: str
    sort_name: str
    email: str
    submission_pk: int
    number: int
    before: Number
    before_max: Number
    after: Number
    after_max: Number
    group: Group
    tasks: tuple[TaskChange, ...]
    checks: tuple[CheckChange, ...]
    overridden: bool
    ran: bool
    ran_number: int | None

    @property
    def change(self) -> Number:
        """Points won or lost; None without a score afterwards."""
        return None if self.after is None else self.after - (self.before or Decimal(0))


@dataclass(frozen=True)
class _Score:
    """Before and after of one student, wherever it was read."""

    enrollment: Enrollment
    submission: Submission
    before: tuple[Number, Number]
    after: tuple[Number, Number]


def regrade_rows(regrade: LabRegrade) -> tuple[RegradeRow, ...]:
    """Every student of the regrade, those who lose points first. Queries do not grow with the students."""
    items = _items(regrade)
    scores = _planned(regrade, items) if regrade.is_open else _recorded(regrade)
    overridden = set(
        RubricScore.objects.filter(submission__assignment=regrade.assignment_id).values_list("submission_id", flat=True)
    )
    by_student = {key: list(group) for key, group in groupby(items, lambda item: item.submission.enrollment_id)}
    rows = [_row(score, by_student.get(score.enrollment.pk, []), overridden) for score in scores]
    return tuple(sorted(rows, key=_order))


def problems_of(regrade: LabRegrade) -> tuple[Problem, ...]:
    """The runs that ended without a score, ours first. One query."""
    items = regrade.items.select_related("job__stored_report", "submission__enrollment__user")
    ended = items.exclude(job__stored_report__outcome=Outcome.GRADED).filter(job__in=GradingJob.objects.ended())
    found = [_problem(item) for item in ended]
    return tuple(sorted(found, key=lambda problem: (not problem.ours, problem.student, problem.number)))


def _items(regrade: LabRegrade) -> list[LabRegradeItem]:
    items = regrade.items.select_related("job__stored_report", "before", "submission")
    listed = list(items.order_by("submission__enrollment_id", "submission__number"))
    if regrade.is_open:
        reports = jobs_of([item.submission_id for item in listed])
        counted = {pk: jobs.graded.pk for pk, jobs in reports.items() if jobs.graded}
        loaded = GradeReport.objects.in_bulk(list(counted.values()))
        for item in listed:
            item.before = loaded.get(counted.get(item.submission_id, 0))
    return listed


def _planned(regrade: LabRegrade, items: list[LabRegradeItem]) -> Iterable[_Score]:
    students = {item.submission.enrollment_id for item in items}
    submissions = [row for row in class_submissions(regrade.assignment_id) if row.enrollment_id in students]
    graded = [item.job_id for item in items if _after(item) is not None]
    before, after = standings(submissions), standings(submissions, trials=graded)
    for student, standing in after.items():
        submission = standing.counting.submission
        yield _Score(submission.enrollment, submission, numbers(before[student].staff), numbers(standing.staff))


def _recorded(regrade: LabRegrade) -> Iterable[_Score]:
    for row in regrade.changes.filter(act=Act.APPLIED).select_related("enrollment__user", "submission"):
        yield _Score(row.enrollment, row.submission, (row.before, row.before_max), (row.after, row.after_max))


def _row(score: _Score, items: list[LabRegradeItem], overridden: set[int]) -> RegradeRow:
    user, submission = score.enrollment.user, score.submission
    own = next((item for item in items if item.submission_id == submission.pk), None)
    shown = own or (items[-1] if items else None)
    before, after = _reports(shown) if shown else (None, None)
    way: Group = direction(score.before, score.after)
    if way == "same" and any(_after(item) is None for item in items):
        way = "no score"
    return RegradeRow(
        student=user.name,
        sort_name=user.sort_name,
        email=user.email,
        submission_pk=submission.pk,
        number=submission.number,
        before=score.before[0],
        before_max=score.before[1],
        after=score.after[0],
        after_max=score.after[1],
        group=way,
        tasks=_task_changes(before, after),
        checks=tuple(row for row in check_changes(before, after, show_hidden=True) if _differs(row)) if after else (),
        overridden=submission.pk in overridden,
        ran=own is not None,
        ran_number=shown.submission.number if shown else None,
    )


def _reports(item: LabRegradeItem) -> tuple[Report | None, Report | None]:
    after = _after(item)
    return item.before.report if item.before else None, after.report if after else None


def _after(item: LabRegradeItem) -> GradeReport | None:
    stored = getattr(item.job, "stored_report", None)
    return stored if stored is not None and stored.outcome == Outcome.GRADED else None


def _problem(item: LabRegradeItem) -> Problem:
    refused = item.job.status == Status.FINISHED
    return Problem(
        submission_pk=item.submission_id,
        number=item.submission.number,
        student=item.submission.enrollment.user.name,
        label="Not gradable" if refused else item.job.status.label,
        ours=item.job.status == Status.NEEDS_STAFF,
        detail=item.job.stored_report.report.message if refused else item.job.error,
    )


def _task_changes(before: Report | None, after: Report | None) -> tuple[TaskChange, ...]:
    if after is None:
        return ()
    old, new = _tasks(before), _tasks(after)
    nothing = (Decimal(0), Decimal(0))
    names = (*new, *(name for name in old if name not in new))
    both = ((name, old.get(name, nothing), new.get(name, nothing)) for name in names)
    return tuple(TaskChange(name, was[0], now[0], was[1], now[1]) for name, was, now in both if was != now)


def _tasks(report: Report | None) -> dict[str, tuple[Decimal, Decimal]]:
    """Score and points of each task, by its id."""
    if report is None:
        return {}
    auto = auto_scores(report)
    return {task.id: (auto[task.id], points(task.points)) for task in report.tasks}


def _differs(row: CheckChange) -> bool:
    return bool(row.change) or row.before != row.after


def _order(row: RegradeRow) -> tuple[int, Decimal, str]:
    """Who loses points first, the most first; then who wins some; names decide the rest."""
    return ORDER.index(row.group), -abs(row.change or Decimal(0)), row.sort_name
