"""What if: scores that someone typed in place of those that are not known, put through the same arithmetic. Nothing of it is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from courses.models import Enrollment
from courses.pages import StateChip
from gradebook.access import GradeAccess
from gradebook.book.components import Total, final_total, total_so_far
from gradebook.book.grades import grade_class
from gradebook.book.letters import Letter, letters
from gradebook.book.parts import KNOWN, Part, Score, Scores, State
from gradebook.derivation.components import anchor_of
from gradebook.derivation.figures import plain
from gradebook.derivation.letters import LetterView, letter_view
from gradebook.derivation.pages import basis_for
from gradebook.derivation.standing import CHIPS, SHOWN
from gradebook.sources.collect import Book

NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,4})?")
LONGEST = 40  # of what is shown again


@dataclass(frozen=True)
class Field:
    """One part with what was typed for it, and the points that it means. `open` says whether something may be typed; `now` is what is
    known."""

    part: Part
    id: str
    component: str
    most: Fraction
    open: bool
    chip: StateChip
    now: str
    typed: str
    points: Fraction | None
    error: str


@dataclass(frozen=True)
class Outcome:
    """Both scores, and the letter of each where the viewer may know letters."""

    so_far: Fraction | None
    final: Fraction | None
    letter_so_far: LetterView | None
    letter: LetterView | None


@dataclass(frozen=True)
class WhatIfPage:
    """`after` is None while nothing was typed that counts."""

    student: Enrollment
    is_own: bool
    fields: tuple[Field, ...]
    before: Outcome
    after: Outcome | None
    wrong: int
    has_letters: bool
    students: int


def what_if_page(access: GradeAccess, typed: Mapping[str, str]) -> WhatIfPage:
    """`typed` are points by the key of the part: for staff of any part, for a student of those that are not known yet."""
    made_from = basis_for(access)
    book, shows_letters = made_from.book, made_from.shows_letters
    scores = book.scores[access.student.pk]
    fields = tuple(_field(book, part, scores[part.key], typed, any_part=access.as_staff) for part in book.counting)
    tried = {
        field.part.key: Score(State.GRADED, field.points, field.most) for field in fields if field.points is not None
    }
    return WhatIfPage(
        student=access.student,
        is_own=not access.as_staff,
        fields=fields,
        before=_outcome(book, access.student.pk, scores, shows_letters=shows_letters),
        after=_outcome(book, access.student.pk, {**scores, **tried}, shows_letters=shows_letters) if tried else None,
        wrong=sum(bool(field.error) for field in fields),
        has_letters=shows_letters and bool(book.policy.letters),
        students=len(book.students),
    )


def _field(book: Book, part: Part, score: Score, typed: Mapping[str, str], *, any_part: bool) -> Field:
    names = {rule.kind: rule.name for rule in book.policy.components}
    is_known = score.state in KNOWN or score.state is State.EXCUSED
    most = score.max_points if score.state is State.GRADED else part.max_points
    text = typed.get(part.key, "").strip()[:LONGEST]
    is_open = any_part or not is_known
    points, error = _read(text, most) if is_open else (None, "")
    return Field(
        part=part,
        id=anchor_of(part.key),
        component=names[part.component],
        most=most,
        open=is_open,
        chip=SHOWN if score.state is State.GRADED else CHIPS[score.state],
        now=f"{plain(score.points)} of {plain(score.max_points)}" if score.state is State.GRADED else "",
        typed=text if is_open else "",
        points=points,
        error=error,
    )


def _read(text: str, most: Fraction) -> tuple[Fraction | None, str]:
    """The points, or what is wrong with them. A comma is taken for a point."""
    if not text:
        return None, ""
    plain_text = text.replace(",", ".")
    if not NUMBER.fullmatch(plain_text):
        return None, "This is not a number of points. Please type one such as 8.5."
    points = Fraction(plain_text)
    if points > most:
        return None, f"Please type 0 to {plain(most)} points."
    return points, ""


def _outcome(book: Book, student: int, scores: Scores, *, shows_letters: bool) -> Outcome:
    so_far, final = total_so_far(book.policy, book.parts, scores), final_total(book.policy, book.parts, scores)
    others = grade_class(book).students if shows_letters else {}
    return Outcome(
        so_far=so_far.score,
        final=final.score,
        letter_so_far=_letter(book, {pk: each.so_far for pk, each in others.items()}, student, so_far),
        letter=_letter(book, {pk: each.final for pk, each in others.items()}, student, final),
    )


def _letter(book: Book, everyone: Mapping[int, Total], student: int, total: Total) -> LetterView | None:
    """The student's letter in the class as it stands now, with this total in place of their own."""
    if not everyone or not book.policy.letters or total.score is None:
        return None
    scores = {pk: each.score for pk, each in everyone.items() if each.score is not None}
    found: Letter = letters(book.policy, {**scores, student: total.score})[student]
    return letter_view(found, book.policy, total.score)
