"""A snapshot's content as objects again: what pages and exports read while the grades are frozen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from gradebook.book.grades import ClassGrades, grade_class
from gradebook.book.letters import Letter
from gradebook.book.parts import Part, Policy, Score
from gradebook.freezing.document import FORMAT, grade_data, part_from, policy_from, score_from


class NotAGradesFile(Exception):  # noqa: N818 - an answer to whoever brought it
    """Text that is no snapshot of grades; the message says why."""


@dataclass(frozen=True)
class FrozenStudent:
    """One student as the snapshot holds them. `letter` is None where they had no score; `origins` are plain facts, by the part's key."""

    enrollment_pk: int
    name: str
    sort_name: str
    email: str
    scores: Mapping[str, Score]
    origins: Mapping[str, Mapping[str, Any]]
    so_far: Fraction | None
    final: Fraction | None
    known: Fraction
    letter: Letter | None


@dataclass(frozen=True)
class Frozen:
    """The whole class. `students` are by the id of their enrollment, in the order of a class list."""

    offering: Mapping[str, str]
    policy: Policy
    parts: tuple[Part, ...]
    students: Mapping[int, FrozenStudent]

    @property
    def scores(self) -> dict[int, Mapping[str, Score]]:
        """As the arithmetic reads them."""
        return {pk: student.scores for pk, student in self.students.items()}

    @cached_property
    def grades(self) -> ClassGrades:
        """The derivation of each grade, from the frozen scores by the frozen policy. What was recorded stands in `students`."""
        return grade_class(self)


def read(text: str) -> Frozen:
    """The content of a snapshot; raises `NotAGradesFile` for anything else."""
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise NotAGradesFile("It does not say that it is a snapshot of grades.")
        students = [_student(row) for row in data["students"]]
        found = Frozen(
            offering=data["offering"],
            policy=policy_from(data["policy"]),
            parts=tuple(part_from(part) for part in data["parts"]),
            students={
                row.enrollment_pk: row for row in sorted(students, key=lambda row: (row.sort_name, row.enrollment_pk))
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError, RecursionError) as error:
        raise NotAGradesFile("It is damaged, or no snapshot of grades.") from error
    return found


def grades_follow(text: str) -> list[str]:
    """Names of students whose recorded grade does not follow from the recorded scores and policy by the arithmetic of today."""
    found = read(text)
    recorded = {row["enrollment"]: row["grade"] for row in json.loads(text)["students"]}
    return [
        student.name for pk, student in found.students.items() if grade_data(found.grades.students[pk]) != recorded[pk]
    ]


def _student(data: dict[str, Any]) -> FrozenStudent:
    grade = data["grade"]
    return FrozenStudent(
        enrollment_pk=int(data["enrollment"]),
        name=str(data["name"]),
        sort_name=str(data["sort_name"]),
        email=str(data["email"]),
        scores={key: score_from(score) for key, score in data["scores"].items()},
        origins={key: score.get("origin", {}) for key, score in data["scores"].items()},
        so_far=_number(grade["so_far"]),
        final=_number(grade["final"]),
        known=Fraction(grade["known"]),
        letter=_letter(grade["letter"]),
    )


def _letter(data: dict[str, Any] | None) -> Letter | None:
    if data is None:
        return None
    return Letter(
        letter=data["letter"],
        absolute=data["absolute"],
        relative=data["relative"],
        score=Fraction(data["score"]),
        above=int(data["above"]),
        size=int(data["size"]),
    )


def _number(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)
