"""Grades for a student."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from courses.pages import StateChip, day
from gradebook.models import Component, LetterCutoff
from gradebook.readings import NOTHING, ReadingGrade, reading_grades
from reviews.lists import best
from reviews.scores import Scored, score_all
from submissions.models import Submission


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
    """How the final score is made, and what of it is known. Staff have no scores of their own."""

    components: tuple[Component, ...]
    total_weight: Decimal
    cutoffs: tuple[LetterCutoff, ...]
    labs: tuple[LabGrade, ...]
    readings: tuple[ReadingGrade, ...]
    is_staff: bool


def grades_page(enrollment: Enrollment) -> GradesPage:
    """Weights, letters, and scores of labs and readings for the viewer. The number of queries does not grow with any of them."""
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
        readings=() if enrollment.is_staff else reading_grades(enrollment),
        is_staff=enrollment.is_staff,
    )


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
