"""The rows of a score sheet: every student of the class with the points of each item, whatever kind of work it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from assignments.models import Assignment, Kind
from courses.models import Enrollment
from grader.contract import GradeReport as Report
from grading.models import GradeReport
from grading.selectors import JobsOfSubmission, jobs_of
from reviews.lists import best
from reviews.marking.scores import HandScore, hand_scores, latest_of_students
from reviews.models import RubricItem, RubricScore
from reviews.releases.standing import released_since
from reviews.scores import Scored, score_all, task_scores
from submissions.models import Submission


@dataclass(frozen=True)
class SheetRow:
    """One student, with the work that counts: shared work stands in the row of each of its authors. `points` holds what each item has,
    by its short name; an item without points is not in it.

    `revision` is that of the review, 0 where there is none.
    """

    enrollment: Enrollment
    submission: Submission | None
    points: dict[str, Decimal]
    adjustments: Decimal | None
    total: Decimal | None
    comment: str
    grader: str
    state: str
    revision: int = 0


@dataclass(frozen=True)
class Sheet:
    """An assignment with its items, in order, and its class."""

    assignment: Assignment
    items: tuple[RubricItem, ...]
    rows: tuple[SheetRow, ...]


def sheet_of(assignment: Assignment) -> Sheet:
    """One assignment."""
    return sheets_of([assignment])[0]


def sheets_of(assignments: Sequence[Assignment]) -> list[Sheet]:
    """Several assignments of one offering. The number of queries grows neither with them nor with the class."""
    if not assignments:
        return []
    students = list(assignments[0].offering.enrollments.students().select_related("user"))
    items: dict[int, list[RubricItem]] = {}
    for item in RubricItem.objects.filter(rubric__assignment__in=assignments).select_related("rubric"):
        items.setdefault(item.rubric.assignment_id, []).append(item)
    labs = [assignment for assignment in assignments if assignment.kind == Kind.LAB]
    by_hand = [assignment for assignment in assignments if assignment.kind != Kind.LAB]
    found = _of_labs(labs) | _by_hand(by_hand, {item.pk: item.task_id for each in items.values() for item in each})
    return [
        Sheet(
            assignment,
            tuple(items.get(assignment.pk, ())),
            tuple(_row(student, found.get((student.pk, assignment.pk))) for student in students),
        )
        for assignment in assignments
    ]


@dataclass(frozen=True)
class _Work:
    """What counts of one student."""

    submission: Submission
    points: dict[str, Decimal]
    total: Decimal | None
    released: bool
    graders: str = ""
    score: HandScore | None = None


def _row(student: Enrollment, work: _Work | None) -> SheetRow:
    if work is None:
        return SheetRow(student, None, {}, None, None, "", "", "nothing handed in")
    review = work.score.review if work.score else None
    return SheetRow(
        enrollment=student,
        submission=work.submission,
        points=work.points,
        adjustments=sum((row.points for row in work.score.adjustments), Decimal(0)) if work.score else None,
        total=work.total,
        comment=review.comment if review else "",
        grader=work.graders,
        state="not graded" if work.total is None else "released" if work.released else "graded",
        revision=review.revision if review else 0,
    )


def _by_hand(assignments: Sequence[Assignment], names: dict[int, str]) -> dict[tuple[int, int], _Work]:
    """By student and assignment. Marks of items that the rubric no longer has count in the total and have no column."""
    counting = latest_of_students(*assignments)
    work = Submission.objects.in_bulk(set(counting.values()))
    scores, released = hand_scores(work.values()), released_since(work.values())
    found = {}
    for key, pk in counting.items():
        submission, score = work[pk], scores.get(pk)
        marks = score.marks if score else ()
        grader = score.review.grader if score else None
        found[key] = _Work(
            submission=submission,
            points={names[mark.item_id]: mark.score for mark in marks if mark.item_id in names},
            total=score.total if score else None,
            released=pk in released,
            graders=grader.name if grader else "",
            score=score,
        )
    return found


def _of_labs(labs: Sequence[Assignment]) -> dict[tuple[int, int], _Work]:
    """The same for labs: the attempt that counts, its report by tasks, and what staff set in place of it."""
    work = _counting(labs)
    submissions = [scored.submission for scored in work.values()]
    released, reports = released_since(submissions), _reports(jobs_of([row.pk for row in submissions]))
    overrides: dict[int, list[RubricScore]] = {}
    for override in RubricScore.objects.filter(submission__in=submissions).select_related("item", "overridden_by"):
        overrides.setdefault(override.submission_id, []).append(override)
    found = {}
    for key, scored in work.items():
        pk = scored.submission.pk
        report, by_staff = reports.get(pk), overrides.get(pk, [])
        given = ((row.item.task_id, row.score) for row in by_staff)
        points = task_scores(report, given) if report else {}
        graders = sorted({row.overridden_by.name for row in by_staff if row.overridden_by})
        found[key] = _Work(scored.submission, points, scored.score, pk in released, ", ".join(graders))
    return found


def _counting(labs: Sequence[Assignment]) -> dict[tuple[int, int], Scored]:
    """By student and lab, the attempt that counts; without a score, the last one."""
    students = Enrollment.objects.students().order_by().values("pk")
    attempts = Submission.objects.filter(assignment__in=labs, enrollment__in=students).order_by("pk")
    by_student: dict[tuple[int, int], list[Scored]] = {}
    for scored in score_all(attempts, for_staff=True):
        key = (scored.submission.enrollment_id, scored.submission.assignment_id)
        by_student.setdefault(key, []).append(scored)
    return {key: best(rows) or rows[-1] for key, rows in by_student.items()}


def _reports(jobs: dict[int, JobsOfSubmission]) -> dict[int, Report]:
    """By submission id, the report that counts. One query."""
    stored = {found.graded.pk: pk for pk, found in jobs.items() if found.graded is not None}
    rows = GradeReport.objects.filter(pk__in=stored).values_list("pk", "data")
    return {stored[pk]: Report.from_json(data) for pk, data in rows}
