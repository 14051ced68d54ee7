"""Everyone's grades for export: from the snapshot while they are frozen, from their sources otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from courses.models import Enrollment, Offering
from gradebook.book.grades import StudentGrade, grade_class
from gradebook.book.parts import Part, Policy, Scores
from gradebook.freezing.selectors import FrozenGrades, final_of, freeze_of
from gradebook.sources.collect import Book, collect

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Seal:
    """The snapshot that the numbers come from."""

    sha256: str
    taken_at: datetime
    taken_by: str


@dataclass(frozen=True)
class Numbers:
    """The class with its scores and grades, by the id of the enrollment. `students` are in the order of a class list.

    While the grades are frozen, `seal` names their snapshot, and a student who dropped since is still among them. Not `ranked`: the
    students are not the whole class, so that there are no letters.
    """

    policy: Policy
    parts: tuple[Part, ...]
    students: tuple[Enrollment, ...]
    scores: Mapping[int, Scores]
    grades: Mapping[int, StudentGrade]
    seal: Seal | None = None
    ranked: bool = True

    @property
    def counting(self) -> tuple[Part, ...]:
        """The parts that belong to a component."""
        kinds = {rule.kind for rule in self.policy.components}
        return tuple(part for part in self.parts if part.component in kinds)


def is_sealed(offering: Offering) -> bool:
    """Whether the grades are frozen. One query."""
    return freeze_of(offering) is not None


def numbers_of(offering: Offering, *, released_only: bool = False) -> Numbers:
    """The whole class, as staff see it; with `released_only` as each student sees themself, which is the same once grades are frozen.

    Queries do not grow with the class.
    """
    frozen = final_of(offering)
    return _sealed(frozen) if frozen else _of(collect(offering, released_only=released_only), ranked=True)


def numbers_of_one(student: Enrollment, *, released_only: bool = False) -> Numbers:
    """A student who is not in the class that is graded, since they dropped or came after the freeze: scores, and no letter that was
    given in comparison with others. With `released_only` as the student sees themself."""
    return _of(collect(student.offering, students=[student], released_only=released_only), ranked=False)


def _sealed(frozen: FrozenGrades) -> Numbers:
    content = frozen.content
    enrolled = Enrollment.objects.select_related("user").in_bulk(content.students)
    return Numbers(
        policy=content.policy,
        parts=content.parts,
        students=tuple(enrolled[pk] for pk in content.students if pk in enrolled),
        scores=content.scores,
        grades=content.grades.students,
        seal=Seal(frozen.sha256, frozen.taken_at, frozen.taken_by),
    )


def _of(book: Book, *, ranked: bool) -> Numbers:
    return Numbers(book.policy, book.parts, book.students, book.scores, grade_class(book).students, ranked=ranked)


def rounded(value: Fraction | None) -> Decimal | None:
    """To hundredths, half up, as people round; None for nothing."""
    if value is None:
        return None
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(CENT, rounding=ROUND_HALF_UP)
