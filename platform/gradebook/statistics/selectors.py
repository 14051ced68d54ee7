"""The page of statistics. While the grades are frozen it speaks of the frozen ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from courses.models import Enrollment
from gradebook.book.grades import ClassGrades, Scored, StudentGrade, grade_class
from gradebook.book.parts import ComponentRule, Part, State
from gradebook.freezing.selectors import final_of
from gradebook.sources.collect import collect
from gradebook.statistics.figures import Figures, figures_of

HUNDRED = Fraction(100)


@dataclass(frozen=True)
class Distribution:
    """One number of each student, out of `most`: those that have it in `values`, and how the others stand."""

    key: str
    title: str
    most: Fraction
    values: tuple[Fraction, ...]
    figures: Figures
    missing: int = 0
    excused: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class ComponentStatistics:
    """A component with its parts; one that is a single number has none of its own to show."""

    whole: Distribution
    parts: tuple[Distribution, ...]


@dataclass(frozen=True)
class LetterRow:
    """How many students have a letter: by each column alone, and as it counts."""

    letter: str
    absolute: int
    relative: int
    final: int


@dataclass(frozen=True)
class StatisticsPage:
    """How the class did. `won` counts students by the column that gave their letter."""

    students: int
    scores: tuple[Distribution, ...]
    components: tuple[ComponentStatistics, ...]
    rows: tuple[Distribution, ...]
    letters: tuple[LetterRow, ...]
    won: dict[str, int]
    relative_from: int
    has_relative: bool
    frozen_at: datetime | None


def statistics_page(viewer: Enrollment) -> StatisticsPage:
    """For staff. The number of queries does not depend on the class."""
    frozen = final_of(viewer.offering)
    book: Scored = frozen.content if frozen else collect(viewer.offering)
    grades = grade_class(book)
    scores = (
        _total("score-so-far", "Score so far", (grade.so_far.score for grade in grades.students.values())),
        _total("score-final", "Final score", (grade.final.score for grade in grades.students.values())),
    )
    components = tuple(_component(rule, book, grades) for rule in book.policy.components)
    letters = _letters(book, grades)
    return StatisticsPage(
        students=len(grades.students),
        scores=scores,
        components=components,
        rows=(*scores, *(row for found in components for row in (found.whole, *found.parts))),
        letters=letters,
        won=dict(Counter(grade.letter.won for grade in grades.students.values() if grade.letter)),
        relative_from=book.policy.relative_from,
        has_relative=any(row.relative for row in letters),
        frozen_at=frozen.taken_at if frozen else None,
    )


def _total(key: str, title: str, found: Iterable[Fraction | None]) -> Distribution:
    everyone = list(found)
    values = tuple(score for score in everyone if score is not None)
    return Distribution(key, title, HUNDRED, values, figures_of(values), waiting=len(everyone) - len(values))


def _component(rule: ComponentRule, book: Scored, grades: ClassGrades) -> ComponentStatistics:
    """The component's share in percent, of what is known; and each part in its points."""
    shares = [_share(grade, rule) for grade in grades.students.values()]
    values = tuple(share * HUNDRED for share in shares if share is not None)
    parts = [part for part in book.parts if part.component == rule.kind]
    whole = Distribution(rule.kind, rule.name, HUNDRED, values, figures_of(values), waiting=len(shares) - len(values))
    if [part.key for part in parts] == [rule.kind]:  # a single number is its own component
        return ComponentStatistics(_part(parts[0], book, rule.name), ())
    return ComponentStatistics(whole, tuple(_part(part, book, part.title) for part in parts))


def _share(grade: StudentGrade, rule: ComponentRule) -> Fraction | None:
    return next(found.share for found in grade.so_far.components if found.rule.kind == rule.kind)


def _part(part: Part, book: Scored, title: str) -> Distribution:
    """Points are brought to the part's own, where a score was given out of others."""
    scores = [row[part.key] for row in book.scores.values() if part.key in row]
    states = Counter(score.state for score in scores)
    values = tuple(score.share * part.max_points for score in scores if score.state is State.GRADED)
    return Distribution(
        key=part.key.replace(":", "-"),
        title=title,
        most=part.max_points,
        values=values,
        figures=figures_of(values),
        missing=states[State.MISSING],
        excused=states[State.EXCUSED],
        waiting=states[State.UNGRADED] + states[State.NOT_DUE],
    )


def _letters(book: Scored, grades: ClassGrades) -> tuple[LetterRow, ...]:
    found = [grade.letter for grade in grades.students.values() if grade.letter]
    absolute, relative, final = (
        Counter(names)
        for names in (
            [letter.absolute for letter in found],
            [letter.relative for letter in found],
            [letter.letter for letter in found],
        )
    )
    order: Sequence[str] = [rule.letter for rule in book.policy.letters]
    return tuple(LetterRow(name, absolute[name], relative[name], final[name]) for name in order)
