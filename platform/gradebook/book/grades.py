"""The grades of a class: both scores and the letters of everyone, from what `sources` found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from gradebook.book.components import ALL_BUT_EXCUSED, Total, arranged, total_of
from gradebook.book.letters import Letter, letters
from gradebook.book.parts import KNOWN, Part, Policy, Scores


class Scored(Protocol):
    """A policy, the parts, and everyone's scores by the id of their enrollment."""

    @property
    def policy(self) -> Policy: ...
    @property
    def parts(self) -> Sequence[Part]: ...
    @property
    def scores(self) -> Mapping[int, Scores]: ...


@dataclass(frozen=True)
class StudentGrade:
    """One student. The letters go by the final score, and by the score so far; without a score, or without cutoffs, there is none."""

    so_far: Total
    final: Total
    letter: Letter | None
    letter_so_far: Letter | None


@dataclass(frozen=True)
class ClassGrades:
    """Everyone's grades, by the id of the enrollment."""

    students: dict[int, StudentGrade]


def grade_class(book: Scored) -> ClassGrades:
    """The grades of the class that the book holds; ranks are among its students."""
    components = arranged(book.policy, book.parts)
    so_far = {pk: total_of(components, scores, KNOWN) for pk, scores in book.scores.items()}
    final = {pk: total_of(components, scores, ALL_BUT_EXCUSED, so_far[pk].shares) for pk, scores in book.scores.items()}
    by_final, by_now = _letters(book.policy, final), _letters(book.policy, so_far)
    return ClassGrades(
        {pk: StudentGrade(so_far[pk], final[pk], by_final.get(pk), by_now.get(pk)) for pk in book.scores}
    )


def _letters(policy: Policy, totals: Mapping[int, Total]) -> dict[int, Letter]:
    scores: dict[int, Fraction] = {pk: total.score for pk, total in totals.items() if total.score is not None}
    return letters(policy, scores) if policy.letters else {}
