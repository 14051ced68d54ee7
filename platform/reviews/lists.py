"""Pages that list submissions: a student's attempts, two attempts compared, all submissions of a lab for staff."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.core.paginator import Page

from assignments.models import Assignment
from config import clock
from courses.lists import holds, page_of
from courses.models import Enrollment
from courses.pages import StateChip
from grader.contract import CheckResult, GradeReport
from grading.models import Status
from grading.progress import CheckState, state_of
from grading.selectors import REFUSED
from reviews.scores import Scored, points, score_all
from reviews.selectors import report_for
from submissions.access import SubmissionAccess
from submissions.models import Submission


@dataclass(frozen=True)
class AttemptRow:
    """One submission in a list. `compare_pk` is the attempt before it; `older`: the lab has a newer version than its score; `in_class`:
    its student has not dropped.
    """

    pk: int
    number: int
    receipt: str
    student: str
    created_at: datetime
    late: bool
    source: str
    chip: StateChip
    score: Decimal | None
    max_score: Decimal | None
    overridden: bool
    pending: int
    counts: bool
    compare_pk: int | None
    older: bool
    in_class: bool


@dataclass(frozen=True)
class AttemptsPage:
    """A student's own attempts at one lab, latest first. `best_pk` is the one that counts."""

    assignment: Assignment
    rows: tuple[AttemptRow, ...]
    best_pk: int | None


@dataclass(frozen=True)
class SubmissionsPage:
    """All submissions of one lab, latest first, for staff; `shown` is a page of those that match."""

    assignment: Assignment
    rows: tuple[AttemptRow, ...]
    shown: Page[AttemptRow]
    students_submitted: int
    students_enrolled: int
    pending: int
    older: int
    only: str
    q: str


@dataclass(frozen=True)
class CheckChange:
    """One check in two attempts; the state is None where that attempt has no such check."""

    task: str
    title: str
    before: CheckState | None
    after: CheckState | None
    before_score: Decimal
    after_score: Decimal
    max_score: Decimal

    @property
    def change(self) -> Decimal:
        """Points won or lost."""
        return self.after_score - self.before_score


@dataclass(frozen=True)
class ComparePage:
    """Two attempts of one student at one lab, the earlier first; `rows` with a change come first."""

    assignment: Assignment
    before: AttemptRow
    after: AttemptRow
    rows: tuple[CheckChange, ...]
    better: int
    worse: int
    same: int
    is_staff: bool


FILTERS: dict[str, Callable[[AttemptRow], bool]] = {
    "pending": lambda row: row.pending > 0,
    "running": lambda row: row.chip.kind == "run",
    "needs-staff": lambda row: row.chip.label == Status.NEEDS_STAFF.label,
    "refused": lambda row: row.chip == REFUSED,
}


def attempts_page(enrollment: Enrollment, assignment: Assignment) -> AttemptsPage:
    """The viewer's attempts. Four queries."""
    submissions = assignment.submissions.filter(enrollment=enrollment).select_related("enrollment__user")
    scored = score_all(submissions, for_staff=False)
    top = best(scored)
    rows = _rows(scored)
    return AttemptsPage(assignment=assignment, rows=rows, best_pk=top.submission.pk if top else None)


def submissions_page(
    enrollment: Enrollment, assignment: Assignment, *, only: str = "", q: str = "", number: str = ""
) -> SubmissionsPage:
    """All attempts at a lab for staff; `only` keeps `pending`, `running`, `needs-staff` or `refused` ones. Five queries."""
    submissions = assignment.submissions.select_related("enrollment__user").order_by("-pk")
    scored = score_all(submissions, for_staff=True)
    rows = _rows(scored)
    keep = FILTERS.get(only)
    people = (row.submission.enrollment.user for row in scored)
    found = tuple(
        row for row, user in zip(rows, people, strict=True) if holds(q, user.name, user.sort_name, user.email)
    )
    matching = tuple(row for row in found if keep(row)) if keep else found
    return SubmissionsPage(
        assignment=assignment,
        rows=matching,
        shown=page_of(matching, number),
        students_submitted=len(
            {row.submission.enrollment_id for row in scored if _in_class(row.submission.enrollment)}
        ),
        students_enrolled=Enrollment.objects.students().filter(offering=enrollment.offering).count(),
        pending=sum(row.pending for row in rows),
        older=sum(row.older for row in rows),
        only=only if keep else "",
        q=q,
    )


def compare_page(first: SubmissionAccess, second: SubmissionAccess) -> ComparePage:
    """Two attempts of one student at one lab, check by check, as the viewer may see them."""
    before, after = sorted((first, second), key=lambda access: access.submission.number)
    for_staff = first.viewer.is_staff
    rows = _rows(score_all([before.submission, after.submission], for_staff=for_staff))
    show_hidden = for_staff or before.submission.assignment.is_released(clock.now())
    changes = check_changes(report_for(before), report_for(after), show_hidden=show_hidden)
    counted = Counter((row.change > 0) - (row.change < 0) for row in changes)
    return ComparePage(
        assignment=before.submission.assignment,
        before=rows[0],
        after=rows[1],
        rows=tuple(sorted(changes, key=lambda row: -abs(row.change))),
        better=counted[1],
        worse=counted[-1],
        same=counted[0],
        is_staff=for_staff,
    )


def best(scored: list[Scored]) -> Scored | None:
    """The attempt that counts; None where no one is graded."""
    graded = [row for row in scored if row.score is not None]
    return max(graded, key=lambda row: row.precedence, default=None)


def _rows(scored: list[Scored]) -> tuple[AttemptRow, ...]:
    counting, before = _counting(scored), _before(scored)
    return tuple(_row(row, row.submission.pk in counting, before.get(row.submission.pk)) for row in scored)


def _counting(scored: list[Scored]) -> set[int]:
    by_student: dict[int, list[Scored]] = {}
    for row in scored:
        by_student.setdefault(row.submission.enrollment_id, []).append(row)
    tops = [best(rows) for rows in by_student.values()]
    return {top.submission.pk for top in tops if top is not None}


def _before(scored: list[Scored]) -> dict[int, int]:
    """By submission id, the attempt of the same student before it."""
    by_number = {(row.submission.enrollment_id, row.submission.number): row.submission.pk for row in scored}
    return {
        pk: by_number[student, number - 1]
        for (student, number), pk in by_number.items()
        if (student, number - 1) in by_number
    }


def _row(scored: Scored, counts: bool, compare_pk: int | None) -> AttemptRow:  # noqa: FBT001 - private, one caller
    submission: Submission = scored.submission
    return AttemptRow(
        pk=submission.pk,
        number=submission.number,
        receipt=submission.receipt_number,
        student=submission.enrollment.user.name,
        created_at=submission.created_at,
        late=submission.late,
        source=submission.get_source_display(),
        chip=scored.chip,
        score=scored.score,
        max_score=scored.max_score,
        overridden=scored.overridden,
        pending=scored.pending,
        counts=counts,
        compare_pk=compare_pk,
        older=scored.is_older,
        in_class=_in_class(submission.enrollment),
    )


def _in_class(student: Enrollment) -> bool:
    return student.dropped_at is None and student.user.is_active and student.is_student


def check_changes(before: GradeReport | None, after: GradeReport | None, *, show_hidden: bool) -> list[CheckChange]:
    """Every check of two reports side by side, in the order of the earlier one."""
    old = {check.name: check for check in before.checks} if before else {}
    new = {check.name: check for check in after.checks} if after else {}
    names = (*old, *(name for name in new if name not in old))
    return [_change(old.get(name), new.get(name), show_hidden=show_hidden) for name in names]


def _change(old: CheckResult | None, new: CheckResult | None, *, show_hidden: bool) -> CheckChange:
    known = new or old
    assert known is not None
    return CheckChange(
        task=known.task,
        title=known.title,
        before=_state(old, show_hidden=show_hidden) if old else None,
        after=_state(new, show_hidden=show_hidden) if new else None,
        before_score=points(old.score) if old else Decimal(0),
        after_score=points(new.score) if new else Decimal(0),
        max_score=points(known.max_score),
    )


def _state(check: CheckResult, *, show_hidden: bool) -> CheckState:
    return "hidden" if check.hidden and not show_hidden else state_of(check)
