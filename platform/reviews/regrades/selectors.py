"""The pages of regrades: a lab's list with the form that starts one, and one regrade with its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Q

from assignments.models import Assignment
from courses.models import Enrollment
from grader.contract import Outcome
from grading.models import ACTIVE, GradingJob
from reviews.regrades import rules
from reviews.regrades.models import Act, LabRegrade, Scope
from reviews.regrades.standings import class_submissions, standings
from reviews.regrades.table import Problem, RegradeRow, problems_of, regrade_rows


@dataclass(frozen=True)
class RegradesPage:
    """All regrades of a lab. `older` of the `counting` attempts have a score of an older version than the lab's present one."""

    assignment: Assignment
    regrades: tuple[LabRegrade, ...]
    under_way: LabRegrade | None
    counting: int
    attempts: int
    older: int
    scopes: tuple[tuple[str, str], ...]
    points_changed: bool

    @property
    def default_scope(self) -> Scope:
        """All attempts where scores of both versions would not compare."""
        return Scope.ALL if self.points_changed else Scope.COUNTING


@dataclass(frozen=True)
class Progress:
    """How far the runs of a dry run are."""

    total: int
    ended: int
    graded: int

    @property
    def is_over(self) -> bool:
        """Whether all have ended."""
        return self.ended >= self.total


@dataclass(frozen=True)
class Totals:
    """Students by what happens to their score, and the runs that ended by our fault."""

    up: int
    down: int
    same: int
    no_score: int
    failed: int


@dataclass(frozen=True)
class RegradePage:
    """One regrade. The table is empty while runs are under way, and for a dry run that was discarded."""

    assignment: Assignment
    regrade: LabRegrade
    progress: Progress
    rows: tuple[RegradeRow, ...]
    problems: tuple[Problem, ...]
    totals: Totals
    before: tuple[Decimal, ...]
    after: tuple[Decimal, ...]
    most: Decimal
    points_before: tuple[Decimal, ...]
    points_after: tuple[Decimal, ...]
    told: int
    is_instructor: bool
    why_not_apply: str
    why_not_revert: str


def regrades_page(assignment: Assignment) -> RegradesPage:
    """What staff need to start a regrade, and what was done before. Queries do not grow with the students."""
    submissions = class_submissions(assignment.pk)
    counting = [standing.counting for standing in standings(submissions).values()]
    people = ("started_by", "applied_by", "reverted_by", "discarded_by")
    regrades = tuple(assignment.regrades.select_related("lab", *people))
    return RegradesPage(
        assignment=assignment,
        regrades=regrades,
        under_way=next((regrade for regrade in regrades if regrade.is_open), None),
        counting=len(counting),
        attempts=len(submissions),
        older=sum(scored.graded_by not in {None, assignment.lab_id} for scored in counting),
        scopes=tuple((str(value), str(label)) for value, label in Scope.choices),
        points_changed=any(scored.max_score not in {None, assignment.points} for scored in counting),
    )


def regrade_page(enrollment: Enrollment, regrade: LabRegrade) -> RegradePage:
    """One regrade for staff. While runs are under way it asks little, since the page asks often."""
    progress = progress_of(regrade)
    has_table = progress.is_over and regrade.discarded_at is None
    rows = regrade_rows(regrade) if has_table else ()
    problems = problems_of(regrade)
    return RegradePage(
        assignment=regrade.assignment,
        regrade=regrade,
        progress=progress,
        rows=rows,
        problems=problems,
        totals=_totals(rows, problems),
        before=_known(row.before for row in rows),
        after=_known(row.after for row in rows),
        most=max(
            _known((regrade.assignment.points, *(row.before_max for row in rows), *(row.after_max for row in rows)))
        ),
        points_before=tuple(sorted(set(_known(row.before_max for row in rows)))),
        points_after=tuple(sorted(set(_known(row.after_max for row in rows)))),
        told=regrade.changes.filter(tells=True, act=Act.REVERTED if regrade.reverted_at else Act.APPLIED).count(),
        is_instructor=enrollment.is_instructor,
        why_not_apply=rules.why_not_apply(regrade),
        why_not_revert=rules.why_not_revert(regrade),
    )


def progress_of(regrade: LabRegrade) -> Progress:
    """One query."""
    found = GradingJob.objects.filter(regrade_item__regrade=regrade).aggregate(
        total=Count("pk"),
        active=Count("pk", filter=ACTIVE),
        graded=Count("pk", filter=Q(stored_report__outcome=Outcome.GRADED)),
    )
    return Progress(found["total"], found["total"] - found["active"], found["graded"])


def _totals(rows: tuple[RegradeRow, ...], problems: tuple[Problem, ...]) -> Totals:
    groups = Counter(row.group for row in rows)
    failed = sum(problem.ours for problem in problems)
    return Totals(groups["up"], groups["down"], groups["same"], groups["no score"], failed)


def _known(values: Iterable[Decimal | None]) -> tuple[Decimal, ...]:
    return tuple(value for value in values if value is not None)
