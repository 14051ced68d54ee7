"""Components and parts of one student's score, each with its formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from courses.pages import StateChip
from gradebook.book.components import HUNDRED, ComponentGrade, CountedPart, Total
from gradebook.book.parts import Part, Score, State
from gradebook.derivation.figures import figure, percent
from gradebook.derivation.standing import Standing, standing_of
from gradebook.sources.collect import Book
from gradebook.sources.origins import Origin

Standings = Mapping[str, Standing]


@dataclass(frozen=True)
class PartView:
    """One part of one student: where it stands, what it weighs, what it adds."""

    key: str
    anchor: str
    title: str
    max_points: Fraction
    chip: StateChip
    why: str
    score: Score
    origin: Origin
    counts: bool
    dropped: bool
    weight: Fraction
    adds: Fraction

    @property
    def is_graded(self) -> bool:
        """Whether there are points to show."""
        return self.score.state is State.GRADED

    @property
    def note(self) -> str:
        """Why it counts as it does, where that is not plain."""
        if self.score.state is State.EXCUSED:
            return "excused: it leaves its weight to the others"
        if self.dropped:
            return "dropped: the lowest do not count"
        if not self.counts:
            return "not known yet: left out of the score so far"
        if self.score.state is State.MISSING:
            return "nothing handed in in time: counts as zero"
        return "" if self.is_graded else "not known yet: counts as zero in the final score"


@dataclass(frozen=True)
class ComponentView:
    """One component of one student with its formula; `share` is None where nothing of it counts."""

    name: str
    anchor: str
    declared: Fraction
    weight: Fraction
    share: Fraction | None
    adds: Fraction
    extra_credit: bool
    parts: tuple[PartView, ...]
    formula: tuple[str, ...]


def component_views(total: Total, book: Book, student: int, standings: Standings) -> tuple[ComponentView, ...]:
    """Every component of the policy, in its order. `standings` say more of a part than its score does, by its key."""
    carried = sum((_declared(grade) for grade in total.components), Fraction(0))
    parts = {part.key: view for part, view in _views(total, book, student, standings)}
    return tuple(_component(grade, carried, parts) for grade in total.components)


def loose_parts(book: Book, student: int, standings: Standings) -> tuple[PartView, ...]:
    """Parts of work that belongs to no component, and so to no score."""
    counting = {part.key for part in book.counting}
    loose = [part for part in book.parts if part.key not in counting]
    scores = book.scores[student]
    return tuple(
        part_view(
            CountedPart(part, scores[part.key], counts=False, dropped=False, weight=Fraction(0)),
            book.origins[student, part.key],
            standings.get(part.key),
        )
        for part in loose
    )


def part_view(counted: CountedPart, origin: Origin, standing: Standing | None = None) -> PartView:
    """One part."""
    shown = standing or standing_of(counted.score, origin)
    return PartView(
        key=counted.part.key,
        anchor=anchor_of(counted.part.key),
        title=counted.part.title,
        max_points=counted.part.max_points,
        chip=shown.chip,
        why=shown.why,
        score=counted.score,
        origin=origin,
        counts=counted.counts,
        dropped=counted.dropped,
        weight=counted.weight,
        adds=counted.adds,
    )


def anchor_of(key: str) -> str:
    """The id of a part on the page."""
    return f"part-{key.replace(':', '-')}"


def total_formula(total: Total) -> str:
    """How the components make the score."""
    terms = [figure(grade.adds) for grade in total.components if grade.share is not None]
    if total.score is None:
        return ""
    return f"{' + '.join(terms)} = {figure(total.score)}" if len(terms) > 1 else ""


def _declared(grade: ComponentGrade) -> Fraction:
    return grade.rule.weight if grade.sizes and not grade.rule.extra_credit else Fraction(0)


def _views(total: Total, book: Book, student: int, standings: Standings) -> list[tuple[Part, PartView]]:
    counted = (part for grade in total.components for part in grade.parts)
    return [
        (part.part, part_view(part, book.origins[student, part.part.key], standings.get(part.part.key)))
        for part in counted
    ]


def _component(grade: ComponentGrade, carried: Fraction, parts: Mapping[str, PartView]) -> ComponentView:
    return ComponentView(
        name=grade.rule.name,
        anchor=f"component-{grade.rule.kind}",
        declared=grade.rule.weight,
        weight=grade.weight,
        share=grade.share,
        adds=grade.adds,
        extra_credit=grade.rule.extra_credit,
        parts=tuple(parts[part.part.key] for part in grade.parts),
        formula=_formula(grade, carried),
    )


def _formula(grade: ComponentGrade, carried: Fraction) -> tuple[str, ...]:
    """The share from the parts, the weight from the other components, and what comes of both."""
    if grade.share is None:
        return ("Nothing of it counts yet, so it leaves its weight to the other components.",)
    lines = [_share_line(grade), _weight_line(grade, carried)]
    lines.append(f"{figure(grade.weight)} × {percent(grade.share)} = {figure(grade.adds)} points of the score.")
    return tuple(line for line in lines if line)


def _share_line(grade: ComponentGrade) -> str:
    counted = [part for part in grade.parts if part.counts]
    assert grade.share is not None
    if len(counted) == 1:
        score = counted[0].score
        if score.state is not State.GRADED:
            return f"Share: {percent(grade.share)}."
        return f"Share: {figure(score.points)} ÷ {figure(score.max_points)} = {percent(grade.share)}."
    if grade.rule.by_points:
        above = " + ".join(figure(part.score.share * grade.sizes[part.part.key]) for part in counted)
        below = " + ".join(figure(Fraction(grade.sizes[part.part.key])) for part in counted)
        return f"Share, by points: ({above}) ÷ ({below}) = {percent(grade.share)}."
    mean = " + ".join(percent(part.score.share) for part in counted)
    return f"Share, the mean of {len(counted)} equal parts: ({mean}) ÷ {len(counted)} = {percent(grade.share)}."


def _weight_line(grade: ComponentGrade, carried: Fraction) -> str:
    if grade.rule.extra_credit:
        return f"Weight: {figure(grade.rule.weight)}, on top of the 100, since it is extra credit."
    if carried == HUNDRED:
        return ""
    return (
        f"Weight: {figure(grade.rule.weight)} of the {figure(carried)} that count now, so "
        f"{figure(grade.rule.weight)} × 100 ÷ {figure(carried)} = {figure(grade.weight)}."
    )
