"""What stands behind one part: attempts, tasks and checks of a lab; marks and adjustments of work that was graded by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from assignments.models import Lab
from courses.models import Enrollment
from gradebook.sources.origins import Origin
from grading.models import GradingJob
from grading.selectors import JobsOfSubmission, jobs_of
from reviews.lists import best
from reviews.marking.models import Adjustment
from reviews.marking.scores import HandScore, hand_scores, labels_of
from reviews.releases.models import Release
from reviews.releases.standing import is_released, taken_back
from reviews.scores import Scored, score_all
from reviews.selectors import TaskView, result_page
from submissions.access import SubmissionAccess
from submissions.models import Submission


@dataclass(frozen=True)
class Run:
    """The run that a lab's score comes from."""

    job: GradingJob
    version: str
    seed: int


@dataclass(frozen=True)
class LabDetail:
    """All attempts; of the one that counts, or the latest, the tasks with their checks and what staff set, as the viewer may see it."""

    attempts: tuple[Scored, ...]
    counting: int | None
    submission: Submission | None
    tasks: tuple[TaskView, ...]
    run: Run | None


@dataclass(frozen=True)
class MarkLine:
    """What an item got; `label` is the level's."""

    title: str
    score: Decimal
    points: Decimal
    label: str
    comment: str


@dataclass(frozen=True)
class HandDetail:
    """The marks of the work that counts, as the viewer may see them; none before the release. `grader` is for staff."""

    submission: Submission
    graded: bool
    released: bool
    taken_back: Release | None
    marks: tuple[MarkLine, ...]
    adjustments: tuple[Adjustment, ...]
    total: Decimal | None
    points: Decimal | None
    comment: str
    grader: str
    graded_at: datetime | None


def lab_detail(viewer: Enrollment, student: Enrollment, assignment_pk: int) -> LabDetail:
    """A student's attempts at a lab. The number of queries does not grow with them."""
    work = Submission.objects.filter(enrollment=student, assignment=assignment_pk).order_by("number")
    attempts = score_all(
        work.select_related("assignment__lab", "assignment__offering__course", "enrollment__user"),
        for_staff=viewer.is_staff,
    )
    top = best(attempts)
    shown = (top or attempts[-1]).submission if attempts else None
    result = result_page(SubmissionAccess(shown, viewer)) if shown else None
    return LabDetail(
        attempts=tuple(attempts),
        counting=top.submission.pk if top else None,
        submission=shown,
        tasks=result.tasks if result else (),
        run=_run(shown.pk, result.report.seed) if shown and result and result.report else None,
    )


def hand_detail(viewer: Enrollment, origin: Origin) -> HandDetail | None:
    """The marks of a student's work, alone or shared; None where nothing was handed in."""
    if origin.submission_pk is None:
        return None
    submission = Submission.objects.select_related("assignment").get(pk=origin.submission_pk)
    released = is_released(submission)
    score = hand_scores([submission]).get(submission.pk)
    shown = score if released or viewer.is_staff else None
    return HandDetail(
        submission=submission,
        graded=score is not None,
        released=released,
        taken_back=taken_back([submission]).get(submission.pk),
        marks=_marks(shown) if shown else (),
        adjustments=shown.adjustments if shown else (),
        total=shown.total if shown else None,
        points=shown.points if shown else None,
        comment=shown.review.comment if shown else "",
        grader=_grader(shown) if shown and viewer.is_staff else "",
        graded_at=shown.review.saved_at if shown else None,
    )


def _run(submission: int, seed: int) -> Run | None:
    report = jobs_of([submission]).get(submission, JobsOfSubmission()).graded
    if report is None:
        return None
    return Run(report.job, Lab.objects.get(pk=report.job.lab_id).version, seed)


def _marks(score: HandScore) -> tuple[MarkLine, ...]:
    labels = labels_of({mark.item_id for mark in score.marks})
    return tuple(
        MarkLine(mark.title, mark.score, mark.points, labels.get((mark.item_id, mark.score), ""), mark.comment)
        for mark in score.marks
    )


def _grader(score: HandScore) -> str:
    return score.review.grader.name if score.review.grader else "Course staff"
