"""The grid of staff: students × labs and readings, a hundred students to a page. The heads speak of the whole class."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.core.paginator import Page
from django.urls import reverse

from assignments.models import Assignment, Kind
from courses.lists import holds, page_of
from courses.models import Enrollment
from courses.pages import StateChip
from gradebook.readings import HIDDEN, NOTHING, RELEASED, UNGRADED, HandTotal, class_totals
from reviews.lists import best
from reviews.scores import Scored, score_all
from submissions.models import Submission


@dataclass(frozen=True)
class ScoreCell:
    """One student at one lab or reading; `submission_pk` is the attempt that counts, or the latest.

    `pending`: there is a score that students do not see yet.
    """

    score: Decimal | None
    chip: StateChip
    submission_pk: int | None
    attempts: int
    overridden: bool
    pending: bool


@dataclass(frozen=True)
class ScoreRow:
    """One student."""

    name: str
    sort_name: str
    email: str
    cells: tuple[ScoreCell, ...]


@dataclass(frozen=True)
class ScoreColumn:
    """One lab or reading with its statistics over graded students; without one there is no mean."""

    title: str
    short: str
    slug: str
    url: str
    max_score: Decimal
    graded: int
    mean: Decimal | None
    scores: tuple[Decimal, ...]


@dataclass(frozen=True)
class ScoresPage:
    """Students × labs and readings."""

    columns: tuple[ScoreColumn, ...]
    rows: Page[ScoreRow]
    students: int
    q: str


EMPTY = ScoreCell(None, NOTHING, None, 0, overridden=False, pending=False)


def scores_page(enrollment: Enrollment, *, q: str = "", number: str = "") -> ScoresPage:
    """The grid for staff of the viewer's offering. Ten queries, however large the class."""
    offering = enrollment.offering
    students = list(Enrollment.objects.students().filter(offering=offering).select_related("user"))
    columns = [*offering.assignments.labs(), *offering.assignments.readings()]
    cells = _lab_cells([each for each in columns if each.kind == Kind.LAB], students)
    cells |= {key: _reading_cell(total) for key, total in class_totals(_readings(columns)).items()}
    found = [row for row in students if holds(q, row.user.name, row.user.sort_name, row.user.email)]
    rows = [
        ScoreRow(
            name=student.user.name,
            sort_name=student.user.sort_name,
            email=student.user.email,
            cells=tuple(cells.get((student.pk, column.pk), EMPTY) for column in columns),
        )
        for student in found
    ]
    heads = (
        _column(offering.slug, column, [cells.get((row.pk, column.pk), EMPTY) for row in students])
        for column in columns
    )
    return ScoresPage(columns=tuple(heads), rows=page_of(rows, number), students=len(students), q=q)


def _readings(columns: list[Assignment]) -> list[Assignment]:
    return [column for column in columns if column.kind == Kind.READING]


def _lab_cells(labs: list[Assignment], students: list[Enrollment]) -> dict[tuple[int, int], ScoreCell]:
    submissions = Submission.objects.filter(assignment__in=labs, enrollment__in=students).order_by("pk")
    attempts: dict[tuple[int, int], list[Scored]] = {}
    for scored in score_all(submissions, for_staff=True):
        submission = scored.submission
        attempts.setdefault((submission.enrollment_id, submission.assignment_id), []).append(scored)
    return {key: _lab_cell(rows) for key, rows in attempts.items()}


def _lab_cell(attempts: list[Scored]) -> ScoreCell:
    top, latest = best(attempts), attempts[-1]
    shown = top or latest
    return ScoreCell(
        score=top.score if top else None,
        chip=latest.chip,
        submission_pk=shown.submission.pk,
        attempts=len(attempts),
        overridden=shown.overridden,
        pending=any(row.pending for row in attempts),
    )


def _reading_cell(total: HandTotal) -> ScoreCell:
    graded = total.score is not None
    return ScoreCell(
        score=total.score,
        chip=(RELEASED if total.released else HIDDEN) if graded else UNGRADED,
        submission_pk=total.submission_pk,
        attempts=1,
        overridden=False,
        pending=graded and not total.released,
    )


def _column(offering: str, assignment: Assignment, cells: list[ScoreCell]) -> ScoreColumn:
    graded = tuple(sorted(cell.score for cell in cells if cell.score is not None))
    is_lab = assignment.kind == Kind.LAB
    return ScoreColumn(
        title=assignment.label,
        short=assignment.label if is_lab else f"{assignment.get_kind_display()} {assignment.number}",
        slug=assignment.slug,
        url=reverse("lab-submissions" if is_lab else "release", args=[offering, assignment.slug]),
        max_score=assignment.points,
        graded=len(graded),
        mean=(sum(graded, Decimal(0)) / len(graded)).quantize(Decimal("0.1")) if graded else None,
        scores=graded,
    )
