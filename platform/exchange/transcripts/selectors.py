"""One student's course on one page: components, parts, both scores, the letter by both columns, and the hash of the snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.core.paginator import Page

from config import clock
from courses.lists import holds, page_of
from courses.models import Enrollment, Role
from exchange.numbers import Seal, numbers_of, numbers_of_one
from gradebook.book.components import ComponentGrade, CountedPart
from gradebook.book.letters import Letter
from gradebook.book.parts import State

STATES = {
    State.GRADED: "Graded",
    State.UNGRADED: "Not graded yet",
    State.MISSING: "Not handed in",
    State.NOT_DUE: "Not due yet",
    State.EXCUSED: "Excused",
}


@dataclass(frozen=True)
class PartLine:
    """One part, in exact numbers. `adds` is what it adds to the score, in percent."""

    title: str
    points: Fraction | None
    max_points: Fraction
    state: str
    adds: Fraction | None


@dataclass(frozen=True)
class ComponentLine:
    """A component with its parts."""

    name: str
    weight: Fraction
    percent: Fraction | None
    adds: Fraction | None
    extra_credit: bool
    parts: tuple[PartLine, ...]


@dataclass(frozen=True)
class TranscriptPage:
    """`student` is whose it is. Without a `seal` nothing of it is final: the numbers are those of `made_at`."""

    student: Enrollment
    components: tuple[ComponentLine, ...]
    score: Fraction | None
    letter: Letter | None
    seal: Seal | None
    made_at: datetime


@dataclass(frozen=True)
class StudentsPage:
    """Whose transcripts there are: students first, then those who dropped."""

    students: Page[Enrollment]
    q: str


def transcript_page(student: Enrollment, *, own: bool) -> TranscriptPage:
    """As staff see it; `own`: as the student does, who sees what has been released. Queries do not grow with the class."""
    numbers = numbers_of(student.offering, released_only=own)
    if student.pk not in numbers.grades:  # not in the class that letters are given in
        numbers = numbers_of_one(student, released_only=own)
    grade = numbers.grades[student.pk]
    total, letter = (grade.final, grade.letter) if numbers.seal else (grade.so_far, grade.letter_so_far)
    return TranscriptPage(
        student=student,
        components=tuple(_component(row) for row in total.components),
        score=total.score,
        letter=letter if numbers.ranked else None,
        seal=numbers.seal,
        made_at=clock.now(),
    )


def students_page(viewer: Enrollment, *, q: str, number: str) -> StudentsPage:
    """One query."""
    students = Enrollment.objects.filter(offering=viewer.offering, role=Role.STUDENT).select_related("user")
    listed = sorted(students, key=lambda row: (row.dropped_at is not None, row.user.sort_name, row.pk))
    found = [row for row in listed if holds(q, row.user.name, row.user.sort_name, row.user.email)]
    return StudentsPage(page_of(found, number), q)


def _component(grade: ComponentGrade) -> ComponentLine:
    return ComponentLine(
        name=grade.rule.name,
        weight=grade.rule.weight,
        percent=None if grade.share is None else grade.share * 100,
        adds=None if grade.share is None else grade.adds,
        extra_credit=grade.rule.extra_credit,
        parts=tuple(_parts(grade.parts)),
    )


def _parts(parts: tuple[CountedPart, ...]) -> Iterator[PartLine]:
    for row in parts:
        graded = row.score.state is State.GRADED
        yield PartLine(
            title=row.part.title,
            points=row.score.points if graded else None,
            max_points=row.score.max_points if graded else row.part.max_points,
            state="Dropped, as one of the lowest" if row.dropped else STATES[row.score.state],
            adds=row.adds if row.counts else None,
        )
