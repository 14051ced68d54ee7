"""Grades for a student, scores of the class for staff."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from courses.pages import StateChip, day
from gradebook.models import Component, LetterCutoff
from reviews.lists import best
from reviews.scores import Scored, score_all
from submissions.models import Submission

NOTHING = StateChip("muted", "Nothing handed in")


@dataclass(frozen=True)
class LabGrade:
    """A student's score for one lab: the best attempt. Until the lab is released it may still change."""

    title: str
    slug: str
    chip: StateChip
    score: Decimal | None
    max_score: Decimal
    released: bool
    submission_pk: int | None


@dataclass(frozen=True)
class GradesPage:
    """How the final score is made, and what of it is known. Staff have no lab scores of their own."""

    components: tuple[Component, ...]
    total_weight: Decimal
    cutoffs: tuple[LetterCutoff, ...]
    labs: tuple[LabGrade, ...]
    is_staff: bool


@dataclass(frozen=True)
class ScoreCell:
    """One student at one lab; `submission_pk` is the attempt that counts, or the latest."""

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
    """One lab with its statistics over graded students; without one there is no mean."""

    title: str
    slug: str
    max_score: Decimal
    graded: int
    mean: Decimal | None
    scores: tuple[Decimal, ...]


@dataclass(frozen=True)
class ScoresPage:
    """Students × labs."""

    columns: tuple[ScoreColumn, ...]
    rows: tuple[ScoreRow, ...]


def grades_page(enrollment: Enrollment) -> GradesPage:
    """Weights, letters and lab scores for the viewer. Six queries."""
    offering = enrollment.offering
    labs = list(offering.assignments.labs())
    submissions = Submission.objects.filter(enrollment=enrollment, assignment__in=labs).order_by("pk")
    attempts: dict[int, list[Scored]] = {}
    for scored in score_all(submissions, for_staff=False):
        attempts.setdefault(scored.submission.assignment_id, []).append(scored)
    components = tuple(offering.components.all())
    return GradesPage(
        components=components,
        total_weight=sum((component.weight for component in components), Decimal(0)),
        cutoffs=tuple(offering.cutoffs.all()),
        labs=() if enrollment.is_staff else tuple(_lab_grade(lab, attempts.get(lab.pk, [])) for lab in labs),
        is_staff=enrollment.is_staff,
    )


def scores_page(enrollment: Enrollment) -> ScoresPage:
    """The grid for staff of the viewer's offering. Five queries, however large the class."""
    students = list(Enrollment.objects.students().filter(offering=enrollment.offering).select_related("user"))
    labs = list(enrollment.offering.assignments.labs())
    submissions = Submission.objects.filter(assignment__in=labs, enrollment__in=students).order_by("pk")
    attempts: dict[tuple[int, int], list[Scored]] = {}
    for scored in score_all(submissions, for_staff=True):
        submission = scored.submission
        attempts.setdefault((submission.enrollment_id, submission.assignment_id), []).append(scored)
    rows = tuple(
        ScoreRow(
            name=student.user.name,
            sort_name=student.user.sort_name,
            email=student.user.email,
            cells=tuple(_cell(attempts.get((student.pk, lab.pk), [])) for lab in labs),
        )
        for student in students
    )
    return ScoresPage(columns=tuple(_column(lab, rows, index) for index, lab in enumerate(labs)), rows=rows)


def _lab_grade(lab: Assignment, attempts: list[Scored]) -> LabGrade:
    top = best(attempts)
    latest = attempts[-1] if attempts else None
    released = lab.is_released(clock.now())
    chip = latest.chip if latest else _chip_without_work(lab)
    if top is not None:
        chip = StateChip("pass", "Released") if released else StateChip("warn", "Graded, not released")
    shown = top or latest
    return LabGrade(
        title=lab.label,
        slug=lab.slug,
        chip=chip,
        score=top.score if top else None,
        max_score=(top and top.max_score) or lab.points,
        released=released,
        submission_pk=shown.submission.pk if shown else None,
    )


def _chip_without_work(lab: Assignment) -> StateChip:
    return NOTHING if lab.is_open(clock.now()) else StateChip("muted", f"Opens {day(lab.opens_at)}")


def _cell(attempts: list[Scored]) -> ScoreCell:
    if not attempts:
        return ScoreCell(None, NOTHING, None, 0, overridden=False, pending=False)
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


def _column(lab: Assignment, rows: tuple[ScoreRow, ...], index: int) -> ScoreColumn:
    scores = tuple(row.cells[index].score for row in rows)
    graded = tuple(sorted(score for score in scores if score is not None))
    return ScoreColumn(
        title=lab.label,
        slug=lab.slug,
        max_score=lab.points,
        graded=len(graded),
        mean=(sum(graded, Decimal(0)) / len(graded)).quantize(Decimal("0.1")) if graded else None,
        scores=graded,
    )
