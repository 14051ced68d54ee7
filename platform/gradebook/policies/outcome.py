"""The dry run: whose grade a new scheme changes, and how. Shown by the page and computed again by the service, so both say the same."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gradebook.book.grades import ClassGrades, StudentGrade
from gradebook.book.letters import Letter
from gradebook.policies.differences import differences
from gradebook.policies.spec import SchemeSpec


@dataclass(frozen=True)
class Standing:
    """A student's grade under one scheme. Without a score there is no letter."""

    so_far: Fraction | None
    final: Fraction | None
    letter: Letter | None

    @property
    def name(self) -> str:
        """The letter alone; empty without one."""
        return self.letter.letter if self.letter else ""


@dataclass(frozen=True)
class GradeChange:
    """A student whose grade is another one under the new scheme; `number` is their place among those, for a screen without names."""

    enrollment_pk: int
    number: int
    before: Standing
    after: Standing

    @property
    def changes_letter(self) -> bool:
        """Whether it is more than the score."""
        return self.before.name != self.after.name

    @property
    def gain(self) -> Fraction:
        """Percent of the final score more, or less."""
        return (self.after.final or Fraction(0)) - (self.before.final or Fraction(0))


@dataclass(frozen=True)
class LetterCount:
    """How many students have a letter under both schemes."""

    letter: str
    before: int
    after: int


@dataclass(frozen=True)
class Outcome:
    """What a change of the scheme does to the class: those whose letter changes first, the largest loss before the largest gain."""

    before: SchemeSpec
    after: SchemeSpec
    size: int
    students: tuple[GradeChange, ...]
    letters: tuple[LetterCount, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What changes about the scheme."""
        return differences(self.before, self.after)

    @property
    def new_letters(self) -> int:
        """How many students get another letter."""
        return sum(row.changes_letter for row in self.students)

    @property
    def digest(self) -> str:
        """Names this very outcome: another one means that somebody edited or graded since it was shown."""
        rows = sorted((row.enrollment_pk, *_marks(row.before), *_marks(row.after)) for row in self.students)
        schemes = [(spec.policy, spec.show_letters) for spec in (self.before, self.after)]
        return hashlib.sha256(repr((schemes, rows)).encode()).hexdigest()


def outcome_of(before: SchemeSpec, after: SchemeSpec, was: ClassGrades, becomes: ClassGrades) -> Outcome:
    """Compare everyone's grades under both schemes. Both hold the same students."""
    pairs = {pk: (standing(was.students[pk]), standing(becomes.students[pk])) for pk in was.students}
    changed = sorted((pk for pk, (one, other) in pairs.items() if one != other), key=lambda pk: _order(pk, *pairs[pk]))
    return Outcome(
        before=before,
        after=after,
        size=len(pairs),
        students=tuple(GradeChange(pk, number, *pairs[pk]) for number, pk in enumerate(changed, start=1)),
        letters=_counts(before, after, list(pairs.values())),
    )


def standing(grade: StudentGrade) -> Standing:
    """What of a grade a scheme changes."""
    return Standing(grade.so_far.score, grade.final.score, grade.letter)


def _order(pk: int, one: Standing, other: Standing) -> tuple[bool, Fraction, int]:
    gain = (other.final or Fraction(0)) - (one.final or Fraction(0))
    return one.name == other.name, gain, pk


def _counts(
    before: SchemeSpec, after: SchemeSpec, pairs: Sequence[tuple[Standing, Standing]]
) -> tuple[LetterCount, ...]:
    """By the letters of the new scheme; those that it has no more come last."""
    names = list(dict.fromkeys(row.letter for spec in (after, before) for row in spec.letters))
    was, becomes = (Counter(pair[side].name for pair in pairs) for side in (0, 1))
    return tuple(LetterCount(name, was[name], becomes[name]) for name in names)


def _marks(found: Standing) -> Iterator[str]:
    yield from (str(found.so_far), str(found.final))
    letter = found.letter
    yield f"{letter.letter} {letter.absolute} {letter.relative}" if letter else ""
