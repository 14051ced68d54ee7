"""The grid of staff: students × parts with what they add up to, a hundred students to a page. The heads speak of the whole class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.core.paginator import Page
from django.urls import reverse

from assignments.models import Assignment, Kind
from courses.lists import holds, page_of
from courses.models import Enrollment
from gradebook.book.components import HUNDRED, exact_sum, rounded
from gradebook.book.grades import ClassGrades, StudentGrade, grade_class
from gradebook.book.letters import Letter
from gradebook.book.parts import Part, Score, State
from gradebook.derivation.components import anchor_of
from gradebook.derivation.figures import plain
from gradebook.freezing.books import frozen_book
from gradebook.freezing.selectors import freeze_of
from gradebook.sources.collect import Book, collect
from gradebook.sources.origins import Origin

WORDS = {State.UNGRADED: "to grade", State.MISSING: "missing", State.NOT_DUE: "–", State.EXCUSED: "excused"}
TENTH = Fraction(1, 10)
WON = {"absolute": "by score", "relative": "by rank", "both": "both"}
Value = Fraction | str | None


@dataclass(frozen=True)
class Cell:
    """One number as the grid shows it; `to` leads from the student's page to its derivation. `sign` is pending, staff, or empty; `kind` is
    a state's name where there is no number."""

    text: str
    to: str = ""
    sign: str = ""
    kind: str = ""
    note: str = ""


@dataclass(frozen=True)
class Column:
    """A column: its head, its statistics over students who have a number there, and how its cells and their order come about."""

    key: str
    short: str
    title: str
    group: str
    url: str
    most: str
    graded: int
    mean: str
    cell: Callable[[int], Cell]
    value: Callable[[int], Value]
    is_letter: bool = False


@dataclass(frozen=True)
class Row:
    """One student; `url` leads to the derivation of every number."""

    name: str
    sort_name: str
    email: str
    url: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Head:
    """A column's head with the address that sorts by it, and how it is sorted now."""

    column: Column
    sort: str
    sorted: str


@dataclass(frozen=True)
class Group:
    """Columns that stand together under one name."""

    name: str
    span: int


@dataclass(frozen=True)
class ScoresPage:
    """Students × parts. `by_name` is the head of the first column; `frozen_at` is when grades became final, None while they are not."""

    heads: tuple[Head, ...]
    groups: tuple[Group, ...]
    by_name: Head
    page: Page[Enrollment]
    rows: tuple[Row, ...]
    students: int
    q: str
    sort: str
    has_policy: bool
    frozen_at: datetime | None


def scores_page(viewer: Enrollment, *, q: str = "", number: str = "", sort: str = "") -> ScoresPage:
    """The grid for staff of the viewer's offering; `sort` is a column's key, with a `-` before it from the highest down.

    The number of queries depends on nothing.
    """
    freeze = freeze_of(viewer.offering)
    book = (frozen_book(viewer.offering) if freeze else None) or collect(viewer.offering)
    grades = grade_class(book)
    columns = _columns(book, grades, viewer.offering.slug)
    found = [row for row in book.students if holds(q, row.user.name, row.user.sort_name, row.user.email)]
    page = page_of(_sorted(found, columns, sort), number)
    name = Column("name", "Student", "Student", "", "", "", 0, "", lambda _: Cell(""), lambda _: None)
    return ScoresPage(
        heads=tuple(_head(column, sort) for column in columns),
        groups=_groups(columns),
        by_name=_head(name, sort or "name"),
        page=page,
        rows=tuple(_row(student, columns, viewer.offering.slug) for student in page.object_list),
        students=len(book.students),
        q=q,
        sort=sort,
        has_policy=bool(book.policy.components),
        frozen_at=freeze.taken_at if freeze else None,
    )


def _columns(book: Book, grades: ClassGrades, offering: str) -> tuple[Column, ...]:
    totals = _totals(grades, has_letters=bool(book.policy.letters)) if book.policy.components else ()
    columns = [*totals]
    names = {rule.kind: rule.name for rule in book.policy.components}
    kinds = dict.fromkeys(part.component for part in book.parts)
    for kind in kinds:
        parts = [part for part in book.parts if part.component == kind]
        group = names.get(kind, "Not in the grade")
        if len(parts) > 1 and kind in names:
            columns.append(_component(grades, kind, group))
        columns += [_part(book, part, group, offering) for part in parts]
    return tuple(columns)


def _totals(grades: ClassGrades, *, has_letters: bool) -> tuple[Column, ...]:
    so_far = _number("so-far", "So far", "Score so far, in percent of what is known", grades, lambda g: g.so_far.score)
    final = _number("final", "Final", "Final score: what is unknown is zero", grades, lambda g: g.final.score)
    if not has_letters:
        return so_far, final
    return (
        so_far,
        _letter(grades, "letter-so-far", "Letter so far", lambda g: g.letter_so_far, lambda one: one.letter),
        final,
        _letter(grades, "absolute", "By score", lambda g: g.letter, lambda one: one.absolute),
        _letter(grades, "relative", "By rank", lambda g: g.letter, lambda one: one.relative or "–"),
        _letter(grades, "letter", "Letter", lambda g: g.letter, lambda one: one.letter, won=True),
    )


def _number(
    key: str, short: str, title: str, grades: ClassGrades, value: Callable[[StudentGrade], Fraction | None]
) -> Column:
    """A score in percent; its column's key says which one the derivation explains."""
    found = {pk: value(grade) for pk, grade in grades.students.items()}
    known = [score for score in found.values() if score is not None]

    def cell(pk: int) -> Cell:
        score = found[pk]
        return Cell("–" if score is None else plain(score), f"?of={key}", kind="" if score is not None else "none")

    return Column(key, short, title, "Score", "", "100", len(known), _mean(known), cell, found.__getitem__)


def _letter(
    grades: ClassGrades,
    key: str,
    short: str,
    of: Callable[[StudentGrade], Letter | None],
    text: Callable[[Letter], str],
    *,
    won: bool = False,
) -> Column:
    to = f"?of={'so-far' if key == 'letter-so-far' else 'final'}#letter"

    def cell(pk: int) -> Cell:
        letter = of(grades.students[pk])
        if letter is None:
            return Cell("–", to, kind="none")
        note = WON[letter.won if letter.relative else "absolute"] if won else ""
        return Cell(text(letter), to, note=note)

    def value(pk: int) -> Value:
        """The score decides the order: letters have none of their own that a page could know."""
        letter = of(grades.students[pk])
        return letter.score if letter else None

    return Column(key, short, short, "Score", "", "", 0, "", cell, value, is_letter=True)


def _component(grades: ClassGrades, kind: str, name: str) -> Column:
    shares = {pk: grade.so_far.shares.get(kind) for pk, grade in grades.students.items()}
    known = [share for share in shares.values() if share is not None]

    def cell(pk: int) -> Cell:
        share = shares[pk]
        text = "–" if share is None else plain(share * 100)
        return Cell(text, f"?of=so-far#component-{kind}", kind="" if share is not None else "none")

    title = f"{name}: percent of what is known"
    return Column(
        f"all:{kind}", "All, %", title, name, "", "100", len(known), _mean(known, HUNDRED), cell, shares.__getitem__
    )


def _part(book: Book, part: Part, group: str, offering: str) -> Column:
    scores = {student.pk: book.scores[student.pk][part.key] for student in book.students}
    known = [score.share for score in scores.values() if score.state is State.GRADED]
    assignment = book.works.get(part.key)

    def value(pk: int) -> Value:
        return scores[pk].share if scores[pk].state is State.GRADED else None

    return Column(
        key=part.key,
        short=_short(assignment),
        title=part.title,
        group=group,
        url=_work_url(offering, assignment) if assignment else "",
        most=plain(part.max_points),
        graded=len(known),
        mean=_mean(known, part.max_points),
        cell=lambda pk: _cell(part, scores[pk], book.origins[pk, part.key]),
        value=value,
    )


def _cell(part: Part, score: Score, origin: Origin) -> Cell:
    sign = "pending" if origin.pending else "staff" if origin.overridden or origin.decision else ""
    if score.state is not State.GRADED:
        return Cell(
            WORDS[score.state], f"#{anchor_of(part.key)}", sign, kind=score.state.name.lower().replace("_", "-")
        )
    return Cell(_of_own(part, score), f"#{anchor_of(part.key)}", sign)


def _of_own(part: Part, score: Score) -> str:
    """The points; with what they are out of, where that is not what the head says."""
    if score.max_points == part.max_points:
        return plain(score.points)
    return f"{plain(score.points)} / {plain(score.max_points)}"


def _short(assignment: Assignment | None) -> str:
    if assignment is None:
        return "Points"  # the group above has its name
    is_report = assignment.kind == Kind.DELIVERABLE
    return assignment.title if is_report else f"{assignment.get_kind_display()} {assignment.number}"


def _work_url(offering: str, assignment: Assignment) -> str:
    return reverse("lab-submissions" if assignment.kind == Kind.LAB else "release", args=[offering, assignment.slug])


def _mean(values: Sequence[Fraction], most: Fraction = Fraction(1)) -> str:
    """Of numbers that are out of `most`, to one decimal."""
    return plain(rounded(exact_sum(values) * most / len(values), TENTH)) if values else ""


def _sorted(students: list[Enrollment], columns: Iterable[Column], sort: str) -> list[Enrollment]:
    """By one column; who has nothing there comes last either way, and of equals the class list decides."""
    if sort.removeprefix("-") == "name":
        return students[::-1] if sort.startswith("-") else students
    column = next((each for each in columns if each.key == sort.removeprefix("-")), None)
    if column is None:
        return students
    known = [(value, student) for student in students if (value := column.value(student.pk)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=sort.startswith("-"))
    ranked = [student for _, student in known]
    taken = {student.pk for student in ranked}
    return [*ranked, *(student for student in students if student.pk not in taken)]


def _row(student: Enrollment, columns: Iterable[Column], offering: str) -> Row:
    user = student.user
    return Row(
        name=user.name,
        sort_name=user.sort_name,
        email=user.email,
        url=reverse("student-grade", args=[offering, student.pk]),
        cells=tuple(column.cell(student.pk) for column in columns),
    )


def _head(column: Column, sort: str) -> Head:
    """Numbers are sorted from the highest down first, names from the first."""
    first, second = (column.key, f"-{column.key}") if column.key == "name" else (f"-{column.key}", column.key)
    state = {column.key: "ascending", f"-{column.key}": "descending"}.get(sort, "")
    return Head(column, second if sort == first else first, state)


def _groups(columns: Sequence[Column]) -> tuple[Group, ...]:
    spans: dict[str, int] = {}
    for column in columns:
        spans[column.group] = spans.get(column.group, 0) + 1
    return tuple(Group(name, span) for name, span in spans.items())
