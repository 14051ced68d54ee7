"""The page that explains a grade, for staff and for the student it belongs to; and one part of it alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.db.models import QuerySet

from assignments.models import Assignment, Kind
from courses.models import Enrollment, Offering
from gradebook.access import GradeAccess, get_part
from gradebook.book.components import Total
from gradebook.book.grades import StudentGrade, grade_class
from gradebook.book.parts import LetterRule
from gradebook.decisions.forms import EXCUSE, DecisionForm
from gradebook.decisions.services import Target
from gradebook.derivation.components import ComponentView, PartView, component_views, loose_parts, total_formula
from gradebook.derivation.details import HandDetail, LabDetail, hand_detail, lab_detail
from gradebook.derivation.figures import plain
from gradebook.derivation.letters import LetterView, letter_view
from gradebook.derivation.standing import standings_of
from gradebook.derivation.steps import Steps, steps_of
from gradebook.freezing.books import frozen_book
from gradebook.freezing.selectors import freeze_of
from gradebook.models import Decision
from gradebook.policies.words import policy_in_words
from gradebook.sources.collect import Book, collect
from gradebook.sources.policies import settings_of

SO_FAR, FINAL = "so-far", "final"
WHOLE = Fraction(100)


@dataclass(frozen=True)
class DerivationPage:
    """A student's grade with everything that it is made of. `basis` is which of the two scores is explained.

    `letter` is None where there is none, or where the viewer may not see it yet (`letters_hidden`). `frozen_at` is when grades became
    final; None while they are not.
    """

    student: Enrollment
    is_own: bool
    basis: str
    so_far: Fraction | None
    final: Fraction | None
    known: Fraction
    components: tuple[ComponentView, ...]
    loose: tuple[PartView, ...]
    formula: str
    letter: LetterView | None
    letters_hidden: bool
    frozen_at: datetime | None
    rules: tuple[LetterRule, ...]
    policy: tuple[str, ...]

    @property
    def total(self) -> Fraction | None:
        """The score that is explained."""
        return self.so_far if self.basis == SO_FAR else self.final


@dataclass(frozen=True)
class PartPage:
    """One part of one student's grade, down to its checks or marks. `decision` is the one by which its number stands.

    `form` is for staff, `standing` the decision that counts where grades are not frozen, and `earlier` what was decided before.
    `frozen_at` is when the number became final; None while it is not.
    """

    student: Enrollment
    is_own: bool
    part: PartView
    lab: LabDetail | None
    hand: HandDetail | None
    steps: Steps | None
    decision: Decision | None
    standing: Decision | None
    earlier: tuple[Decision, ...]
    form: DecisionForm | None
    frozen_at: datetime | None


def derivation_page(access: GradeAccess, *, basis: str = "") -> DerivationPage:
    """The grade as the viewer may see it; the number of queries does not depend on the class."""
    made_from = basis_for(access)
    book = made_from.book
    grade = grade_class(book).students[access.student.pk]
    basis = basis if basis in {SO_FAR, FINAL} else FINAL if grade.final.known == WHOLE else SO_FAR
    total = grade.so_far if basis == SO_FAR else grade.final
    standings = standings_of(book, access.student.pk)
    return DerivationPage(
        student=access.student,
        is_own=not access.as_staff,
        basis=basis,
        so_far=grade.so_far.score,
        final=grade.final.score,
        known=grade.final.known,
        components=component_views(total, book, access.student.pk, standings),
        loose=loose_parts(book, access.student.pk, standings),
        formula=total_formula(total),
        letter=_letter(grade, total, book, basis) if made_from.shows_letters else None,
        letters_hidden=not made_from.shows_letters,
        frozen_at=made_from.frozen_at,
        rules=book.policy.letters,
        policy=policy_in_words(book.policy),
    )


def part_page(access: GradeAccess, key: str, *, form: DecisionForm | None = None) -> PartPage:
    """One part; raises `Http404` where the grade has no such part."""
    offering, student = access.viewer.offering, access.student
    target = get_part(offering, key)
    frozen = _book_with(offering, student, key)
    book = frozen or collect(offering, students=[student], released_only=not access.as_staff)
    grade, standings = grade_class(book).students[student.pk], standings_of(book, student.pk)
    views = [part for each in component_views(grade.final, book, student.pk, standings) for part in each.parts]
    part = next(each for each in (*views, *loose_parts(book, student.pk, standings)) if each.key == key)
    assignment = book.works.get(key)
    is_lab = assignment is not None and assignment.kind == Kind.LAB
    freeze, about = freeze_of(offering) if frozen else None, _about(student, target)
    return PartPage(
        student=student,
        is_own=not access.as_staff,
        part=part,
        lab=lab_detail(access.viewer, student, assignment.pk) if assignment is not None and is_lab else None,
        hand=hand_detail(access.viewer, part.origin) if assignment is not None and not is_lab else None,
        steps=steps_of(access.viewer, student, key) if assignment is None else None,
        decision=part.origin.decision,
        standing=about.filter(withdrawn_at=None).first() if access.as_staff else None,
        earlier=tuple(about.exclude(withdrawn_at=None)) if access.as_staff else (),
        form=(form or _form(part)) if access.as_staff else None,
        frozen_at=freeze.taken_at if freeze else None,
    )


@dataclass(frozen=True)
class Basis:
    """What a page about one student is made from: final grades while they are frozen, else the sources as they are now.

    With `shows_letters` the book holds the whole class, for its ranks.
    """

    book: Book
    shows_letters: bool
    frozen_at: datetime | None = None


def basis_for(access: GradeAccess) -> Basis:
    """What the viewer may know. Once grades are final, students see letters."""
    offering = access.viewer.offering
    frozen = frozen_book(offering)
    if frozen is not None and access.student.pk in frozen.scores:
        freeze = freeze_of(offering)
        return Basis(frozen, shows_letters=True, frozen_at=freeze.taken_at if freeze else None)
    if access.as_staff or settings_of(offering).show_letters:
        return Basis(collect(offering, released_only=not access.as_staff), shows_letters=True)
    return Basis(collect(offering, students=[access.student], released_only=True), shows_letters=False)


def _book_with(offering: Offering, student: Enrollment, key: str) -> Book | None:
    """The final grades, where they have this part of this student."""
    frozen = frozen_book(offering)
    return frozen if frozen and key in frozen.scores.get(student.pk, {}) else None


def _letter(grade: StudentGrade, total: Total, book: Book, basis: str) -> LetterView | None:
    letter = grade.letter_so_far if basis == SO_FAR else grade.letter
    return letter_view(letter, book.policy, total.score) if letter and total.score is not None else None


def _about(student: Enrollment, target: Target) -> QuerySet[Decision]:
    """Decisions about the part, the latest first: the one that stands, and those that were replaced or withdrawn."""
    about = {"assignment" if isinstance(target, Assignment) else "component": target}
    decisions = Decision.objects.filter(enrollment=student, **about)
    return decisions.select_related("made_by", "withdrawn_by", "assignment", "component")


def _form(part: PartView) -> DecisionForm:
    most = part.score.max_points if part.is_graded else part.max_points
    return DecisionForm(initial={"what": EXCUSE, "max_points": plain(most)})
