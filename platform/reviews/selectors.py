"""The result page: one submission, what its checks found, what staff decided, and the attempts around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from audit.models import AuditEvent
from audit.selectors import history_of
from config import clock
from courses.pages import StateChip
from grader.contract import CheckResult, Comparison, GradeReport, Measurement
from grading.models import GradingJob, Status
from grading.progress import CheckState, ProgressSnapshot, snapshot, state_of
from grading.selectors import JobsOfSubmission, jobs_of
from reviews.models import RubricItem, RubricScore
from reviews.regrades.models import ScoreChange
from reviews.regrades.notices import notice_at
from reviews.requests.selectors import RequestsOfScore, requests_of
from reviews.scores import auto_scores, points, task_scores, visible
from submissions.access import SubmissionAccess
from submissions.models import Submission
from submissions.selectors import Receipt, receipt_of

# The order on the page: what needs the student's eye comes first.
ORDER: dict[CheckState, int] = {
    "failed": 0,
    "error": 0,
    "partly": 1,
    "unwritten": 2,
    "waiting": 4,
    "running": 4,
    "passed": 4,
}
HIDDEN_WITH_POINTS_OPEN, HIDDEN_COMPLETE = 3, 5


@dataclass(frozen=True)
class CheckView:
    """One check. `state` is passed, partly, failed, error, unwritten or hidden; a hidden one shows points, title and hint alone."""

    name: str
    title: str
    state: CheckState
    verdict: str
    score: float
    max_score: float
    message: str
    hint: str
    handout: str
    handout_url: str
    hidden: bool
    comparison: Comparison | None
    measurement: Measurement | None
    output: str
    duration_ms: float
    staff_note: str


@dataclass(frozen=True)
class OverrideView:
    """A score that staff gave in place of `auto_score`."""

    score: Decimal
    auto_score: Decimal
    reason: str
    by: str
    at: datetime
    released: bool


@dataclass(frozen=True)
class TaskView:
    """A task with its checks, failed first. `item_pk` is what an override names; without a rubric there is none."""

    id: str
    title: str
    score: Decimal
    max_score: Decimal
    checks: tuple[CheckView, ...]
    override: OverrideView | None
    item_pk: int | None


@dataclass(frozen=True)
class ResultPage:
    """One submission as the viewer may see it. Without a graded report, `report` is None and `tasks` is empty."""

    submission: Submission
    receipt: Receipt
    job: GradingJob | None
    chip: StateChip
    snapshot: ProgressSnapshot | None
    report: GradeReport | None
    tasks: tuple[TaskView, ...]
    total: Decimal | None
    max_total: Decimal | None
    open_points: str
    refusal: str
    hidden_released: bool
    regrading: bool
    previous_pk: int | None
    next_pk: int | None
    attempts: int
    is_staff: bool
    is_owner: bool
    can_cancel: bool
    can_regrade: bool
    needs_staff: bool
    student_name: str
    pending: int
    older: bool
    score_change: ScoreChange | None
    staff_error: str
    notes: tuple[str, ...]
    corrected_from: Decimal | None
    requests: RequestsOfScore
    history: tuple[AuditEvent, ...]


def result_page(access: SubmissionAccess) -> ResultPage:
    """Everything that the result page shows to this viewer."""
    submission, viewer = access.submission, access.viewer
    jobs = jobs_of([submission.pk]).get(submission.pk, JobsOfSubmission())
    job, stored = jobs.latest, jobs.graded
    released = submission.assignment.is_released(clock.now())
    full = stored.report if stored else None
    report = full if full is None or viewer.is_staff else full.for_student(show_hidden=released)
    overrides = list(submission.overrides.select_related("item", "overridden_by"))
    tasks = _tasks(
        submission, report, visible(overrides, for_staff=viewer.is_staff), show_hidden=released or viewer.is_staff
    )
    earlier, later, count = _neighbours(submission)
    live = snapshot(job) if job and (job.is_active or job.status in {Status.NEEDS_STAFF, Status.CANCELLED}) else None
    return ResultPage(
        submission=submission,
        receipt=receipt_of(submission),
        job=job,
        chip=jobs.chip,
        snapshot=live if live is None or viewer.is_staff else live.for_student(),
        report=report,
        tasks=tasks,
        total=sum((task.score for task in tasks), Decimal(0)) if report else None,
        max_total=stored.max_score if stored else None,
        open_points=_open_points(tasks) if report else "",
        refusal=_refusal(job),
        hidden_released=released,
        regrading=bool(report and job and job.is_active),
        previous_pk=earlier,
        next_pk=later,
        attempts=count,
        is_staff=viewer.is_staff,
        is_owner=viewer.pk == submission.enrollment_id,
        can_cancel=bool(job and job.is_active and (viewer.is_staff or not job.rerun)),
        can_regrade=viewer.is_staff and not (job and job.is_active),
        needs_staff=job is not None and job.status == Status.NEEDS_STAFF,
        student_name=submission.enrollment.user.name,
        pending=sum(override.released_at is None for override in overrides) if viewer.is_staff else 0,
        score_change=notice_at(viewer, submission.assignment) if viewer.pk == submission.enrollment_id else None,
        older=viewer.is_staff and jobs.graded_by not in {None, submission.assignment.lab_id},
        staff_error=job.error if job and viewer.is_staff else "",
        notes=report.notes if report else (),
        corrected_from=jobs.corrected_from,
        requests=requests_of(access),
        history=history_of(submission) if viewer.is_staff else (),
    )


def report_for(access: SubmissionAccess) -> GradeReport | None:
    """The latest graded report as the viewer may see it, for download."""
    stored = jobs_of([access.submission.pk]).get(access.submission.pk, JobsOfSubmission()).graded
    if stored is None or access.viewer.is_staff:
        return stored.report if stored else None
    return stored.report.for_student(show_hidden=access.submission.assignment.is_released(clock.now()))


def check_view(check: CheckResult, *, handout_url: str, show_hidden: bool) -> CheckView:
    """One check for the page; a hidden one keeps its verdict to itself until it is released."""
    masked = check.hidden and not show_hidden
    return CheckView(
        name=check.name,
        title=check.title,
        state="hidden" if masked else state_of(check),
        verdict="hidden" if masked else check.verdict.value,
        score=check.score,
        max_score=check.max_score,
        message=check.message,
        hint=check.hint,
        handout=check.handout,
        handout_url=f"{handout_url}#{check.handout}" if check.handout else "",
        hidden=check.hidden,
        comparison=check.comparison,
        measurement=check.measurement,
        output=check.output,
        duration_ms=check.duration_ms,
        staff_note=check.staff_note,
    )


def _tasks(
    submission: Submission, report: GradeReport | None, overrides: list[RubricScore], *, show_hidden: bool
) -> tuple[TaskView, ...]:
    if report is None:
        return ()
    items = {item.task_id: item for item in RubricItem.objects.filter(rubric__assignment=submission.assignment)}
    by_task = {override.item.task_id: override for override in overrides}
    auto = auto_scores(report)
    scores = task_scores(report, ((task, row.score) for task, row in by_task.items()))
    assignment = submission.assignment
    handout_url = f"/o/{assignment.offering.slug}/labs/{assignment.slug}/"
    views = []
    for task in report.tasks:
        checks = [check for check in report.checks if check.task == task.id]
        shown = [check_view(check, handout_url=handout_url, show_hidden=show_hidden) for check in checks]
        override, item = by_task.get(task.id), items.get(task.id)
        views.append(
            TaskView(
                id=task.id,
                title=task.title,
                score=scores[task.id],
                max_score=points(task.points),
                checks=tuple(sorted(shown, key=_urgency)),
                override=_override(override, auto[task.id]) if override else None,
                item_pk=item.pk if item else None,
            )
        )
    return tuple(views)


def _urgency(view: CheckView) -> int:
    if view.state == "hidden":
        return HIDDEN_WITH_POINTS_OPEN if view.score < view.max_score else HIDDEN_COMPLETE
    return ORDER[view.state]


def _override(override: RubricScore, auto_score: Decimal) -> OverrideView:
    return OverrideView(
        score=override.score,
        auto_score=auto_score,
        reason=override.reason,
        by=override.overridden_by.name if override.overridden_by else "Course staff",
        at=override.overridden_at,
        released=override.released_at is not None,
    )


def _open_points(tasks: tuple[TaskView, ...]) -> str:
    missing = sum((task.max_score - task.score for task in tasks), Decimal(0))
    if missing <= 0:
        return "All points."
    where = [task for task in tasks if task.score < task.max_score]
    names = " and ".join(f"task {task.id}" for task in where) if len(where) < 3 else f"{len(where)} tasks"
    open_checks = [check for task in where for check in task.checks if check.score < check.max_score]
    largest = max(open_checks, key=lambda check: (-_urgency(check), check.max_score - check.score), default=None)
    start = f" Start with “{largest.title}”." if largest else ""
    are = "point is" if missing == 1 else "points are"
    return f"{missing.normalize():f} {are} still open, in {names}.{start}"


def _refusal(job: GradingJob | None) -> str:
    if job is None or job.status != Status.FINISHED:
        return ""
    report = job.stored_report.report
    return report.message if not report.checks else ""


def _neighbours(submission: Submission) -> tuple[int | None, int | None, int]:
    """The attempt before and after this one, and how many there are. One query."""
    siblings = Submission.objects.filter(assignment=submission.assignment, enrollment=submission.enrollment)
    pks = list(siblings.order_by("number").values_list("pk", flat=True))
    at = pks.index(submission.pk)
    return (pks[at - 1] if at else None), (pks[at + 1] if at + 1 < len(pks) else None), len(pks)
