"""Every student at every part: one `Book`, read from the sources as they are now.

A number is not kept anywhere but at its source, so nothing here can be stale. The number of queries does not depend on the class.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from assignments.models import Assignment, Kind
from courses.models import Enrollment, Offering
from gradebook.book.parts import Part, Policy, Score
from gradebook.sources.dates import Passed, passed
from gradebook.sources.decisions import decisions_of, with_decision
from gradebook.sources.hand import hand_scores_of
from gradebook.sources.labs import lab_scores
from gradebook.sources.numbers import number_scores
from gradebook.sources.origins import MISSING, NOT_DUE, NOTHING, Found, Origin
from gradebook.sources.policies import policy_of
from gradebook.sources.works import Work, parts_of, works_of


@dataclass(frozen=True)
class Book:
    """What grades are made of. `students` are active, in the order of a class list; each has a score and an origin at every part.

    `works` are the assignments behind parts, by the part's key.
    """

    policy: Policy
    parts: tuple[Part, ...]
    students: tuple[Enrollment, ...]
    scores: dict[int, dict[str, Score]]
    origins: dict[tuple[int, str], Origin]
    works: dict[str, Assignment]

    @property
    def counting(self) -> tuple[Part, ...]:
        """The parts that belong to a component."""
        kinds = {rule.kind for rule in self.policy.components}
        return tuple(part for part in self.parts if part.component in kinds)


def collect(offering: Offering, *, students: Collection[Enrollment] | None = None, released_only: bool = False) -> Book:
    """The whole class, or `students` alone, as staff see it; with `released_only` as each student sees themself.

    Ranks, and so relative letters, need the whole class.
    """
    policy, works = policy_of(offering), works_of(offering)
    parts = parts_of(policy.components, works)
    listed = _class_list(offering) if students is None else tuple(students)
    chosen = None if students is None else [student.pk for student in students]
    found = _by_sources(offering, policy, works, chosen, released_only=released_only)
    for key, decision in decisions_of(offering).items():
        found[key] = with_decision(found.get(key), decision)
    late = passed(offering, [student.pk for student in listed])
    assignments = {work.part.key: work.assignment for work in works}
    scores: dict[int, dict[str, Score]] = {student.pk: {} for student in listed}
    origins: dict[tuple[int, str], Origin] = {}
    for pk, own in scores.items():
        for part in parts:
            row = found.get((pk, part.key)) or _without_work(pk, part, assignments, late)
            own[part.key], origins[pk, part.key] = row
    return Book(
        policy=policy,
        parts=parts,
        students=listed,
        scores=scores,
        origins=origins,
        works=assignments,
    )


def _class_list(offering: Offering) -> tuple[Enrollment, ...]:
    return tuple(Enrollment.objects.students().filter(offering=offering).select_related("user"))


def _by_sources(
    offering: Offering, policy: Policy, works: Sequence[Work], students: list[int] | None, *, released_only: bool
) -> dict[tuple[int, str], Found]:
    """What the sources know, by ids of students and keys of parts."""
    labs = [work.assignment for work in works if work.assignment.kind == Kind.LAB]
    by_hand = [work.assignment for work in works if work.assignment.kind != Kind.LAB]
    keys = {work.assignment.pk: work.part.key for work in works}
    handed_in = lab_scores(labs, students, released_only=released_only)
    handed_in |= hand_scores_of(by_hand, students, released_only=released_only)
    found = {(student, keys[assignment]): row for (student, assignment), row in handed_in.items()}
    return found | number_scores(offering, policy, released_only=released_only)


def _without_work(student: int, part: Part, works: Mapping[str, Assignment], late: Passed) -> Found:
    assignment = works.get(part.key)
    return _MISSING if assignment is not None and late(student, assignment) else _NOT_DUE


_MISSING, _NOT_DUE = Found(MISSING, NOTHING), Found(NOT_DUE, NOTHING)
