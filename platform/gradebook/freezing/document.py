"""A snapshot's content: policy, parts, scores with their origins, and the grades that follow, as canonical JSON.

Canonical: keys sorted, no white space, ASCII, students by the id of their enrollment, and every number that counts an exact fraction
as text ("7/3"). So the same grades are the same bytes, and the same SHA-256, whatever process or database they were read by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from courses.models import Enrollment, Offering
from gradebook.book.components import ComponentGrade
from gradebook.book.grades import StudentGrade, grade_class
from gradebook.book.parts import ComponentRule, LetterRule, Part, Policy, Score, State
from gradebook.sources.collect import Book
from gradebook.sources.origins import NOTHING, Origin

FORMAT = "gradlab-grades-1"
Data = dict[str, Any]


def document_of(offering: Offering, book: Book) -> Data:
    """Everything that a snapshot keeps. `offering` comes with its course."""
    grades = grade_class(book).students
    students = sorted(book.students, key=lambda student: student.pk)
    return {
        "format": FORMAT,
        "offering": {"slug": offering.slug, "course": offering.course.code, "term": offering.term},
        "policy": policy_data(book.policy),
        "parts": [part_data(part) for part in book.parts],
        "students": [_student(student, book, grades[student.pk]) for student in students],
    }


def canonical(data: Data) -> str:
    """The one text of this content."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def sha256_of(text: str) -> str:
    """The hash that names it."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def policy_data(policy: Policy) -> Data:
    """The policy, components and letters in their order."""
    return {
        "components": [
            {
                "kind": rule.kind,
                "name": rule.name,
                "weight": str(rule.weight),
                "drop_lowest": rule.drop_lowest,
                "by_points": rule.by_points,
                "extra_credit": rule.extra_credit,
            }
            for rule in policy.components
        ],
        "letters": [
            {"letter": rule.letter, "absolute": str(rule.absolute), "share": str(rule.share)} for rule in policy.letters
        ],
        "relative_from": policy.relative_from,
        "round_to": _text(policy.round_to),
    }


def policy_from(data: Data) -> Policy:
    """What `policy_data` wrote."""
    return Policy(
        components=tuple(
            ComponentRule(
                kind=str(row["kind"]),
                name=str(row["name"]),
                weight=Fraction(row["weight"]),
                drop_lowest=int(row["drop_lowest"]),
                by_points=bool(row["by_points"]),
                extra_credit=bool(row["extra_credit"]),
            )
            for row in data["components"]
        ),
        letters=tuple(
            LetterRule(row["letter"], Fraction(row["absolute"]), Fraction(row["share"])) for row in data["letters"]
        ),
        relative_from=int(data["relative_from"]),
        round_to=None if data["round_to"] is None else Fraction(data["round_to"]),
    )


def part_data(part: Part) -> Data:
    """One part."""
    return {"key": part.key, "title": part.title, "component": part.component, "max_points": str(part.max_points)}


def part_from(data: Data) -> Part:
    """What `part_data` wrote."""
    return Part(data["key"], data["title"], data["component"], Fraction(data["max_points"]))


def score_from(data: Data) -> Score:
    """A score without its origin."""
    if data["state"] != State.GRADED:
        return Score(State(data["state"]))
    return Score(State.GRADED, Fraction(data["points"]), Fraction(data["max_points"]))


def grade_data(grade: StudentGrade) -> Data:
    """Both scores and the letter, exact."""
    letter = grade.letter
    return {
        "final": _text(grade.final.score),
        "so_far": _text(grade.so_far.score),
        "known": str(grade.final.known),
        "letter": None
        if letter is None
        else {
            "letter": letter.letter,
            "absolute": letter.absolute,
            "relative": letter.relative,
            "won": letter.won,
            "score": str(letter.score),
            "above": letter.above,
            "size": letter.size,
        },
        "components": {component.rule.kind: _component(component) for component in grade.final.components},
    }


def _student(student: Enrollment, book: Book, grade: StudentGrade) -> Data:
    pk = student.pk
    return {
        "enrollment": pk,
        "name": student.user.name,
        "sort_name": student.user.sort_name,
        "email": student.user.email,
        "scores": {
            key: _score(score, book.origins.get((pk, key), NOTHING)) for key, score in sorted(book.scores[pk].items())
        },
        "grade": grade_data(grade),
    }


def _score(score: Score, origin: Origin) -> Data:
    data: Data = {"state": score.state.value}
    if score.state is State.GRADED:
        data |= {"points": str(score.points), "max_points": str(score.max_points)}
    return data | {"origin": found} if (found := _origin(origin)) else data


def _origin(origin: Origin) -> Mapping[str, Any]:
    """Where the number comes from; what says nothing is left out."""
    data: Data = {}
    if origin.submission_pk is not None:
        data |= {"submission": origin.submission_pk, "attempt": origin.attempt}
    if origin.overridden:
        data["set_by_staff"] = True
    if origin.decision is not None:
        data["decision"] = {"id": origin.decision.pk, "reason": origin.decision.reason}
    return data


def _component(component: ComponentGrade) -> Data:
    return {"share": _text(component.share), "weight": str(component.weight), "adds": str(component.adds)}


def _text(value: Fraction | None) -> str | None:
    return None if value is None else str(value)
