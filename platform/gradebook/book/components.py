"""From scores to one number.

Within a component the parts count equally, or by their points; the lowest are dropped, one always stays. A component whose parts are
all excused, or unknown in the score so far, leaves its weight to the others in proportion. Extra credit comes on top and leaves no weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from gradebook.book.parts import KNOWN, ComponentRule, Part, Policy, Score, Scores, State

HUNDRED = Fraction(100)
NOT_DUE = Score(State.NOT_DUE)
ALL_BUT_EXCUSED = frozenset(State) - {State.EXCUSED}
Arranged = Sequence[tuple[ComponentRule, Sequence[Part]]]


@dataclass(frozen=True)
class CountedPart:
    """A part as it counts for one student: `counts` unless excused, unknown (so far) or `dropped`. `weight` is its percent of the score."""

    part: Part
    score: Score
    counts: bool
    dropped: bool
    weight: Fraction

    @property
    def adds(self) -> Fraction:
        """Its part of the score, in percent."""
        return self.weight * self.score.share if self.counts else Fraction(0)


@dataclass(frozen=True)
class ComponentGrade:
    """One component of one student. `weight` is what it weighs for them, after others left their weight to it; `share` is None
    where nothing of it counts. `sizes` are those of the parts that count, by key, of the states that are `counting`."""

    rule: ComponentRule
    share: Fraction | None
    weight: Fraction
    listed: Sequence[Part]
    scores: Scores
    sizes: Mapping[str, Fraction | int]
    counting: frozenset[State]

    @property
    def adds(self) -> Fraction:
        """Its part of the score, in percent."""
        return self.weight * self.share if self.share is not None else Fraction(0)

    @cached_property
    def parts(self) -> tuple[CountedPart, ...]:
        """Its parts, counted or not. Made when they are asked for: the score of a class does without."""
        return tuple(self._counted(part, self.scores.get(part.key, NOT_DUE)) for part in self.listed)

    def _counted(self, part: Part, score: Score) -> CountedPart:
        counts = part.key in self.sizes
        share = Fraction(self.sizes[part.key]) / sum(self.sizes.values()) if counts else Fraction(0)
        dropped = not counts and score.state in self.counting and bool(self.sizes)
        return CountedPart(part, score, counts, dropped, weight=self.weight * share)


@dataclass(frozen=True)
class Total:
    """A score in percent with the components that make it."""

    score: Fraction | None
    components: tuple[ComponentGrade, ...]

    @cached_property
    def known(self) -> Fraction:
        """How much of the weight is decided, in percent of what is not excused."""
        known = whole = Fraction(0)
        for grade in self.components:
            states = [grade.scores.get(part.key, NOT_DUE).state for part in grade.listed]
            open_to = [state for state in states if state is not State.EXCUSED]
            if not open_to or grade.rule.extra_credit:
                continue
            whole += grade.rule.weight
            known += grade.rule.weight * Fraction(sum(state in KNOWN for state in open_to), len(open_to))
        return known * HUNDRED / whole if whole else Fraction(0)


def final_total(policy: Policy, parts: Sequence[Part], scores: Scores) -> Total:
    """The score if nothing more comes: what is unknown is zero. None where everything is excused."""
    return total_of(arranged(policy, parts), scores, ALL_BUT_EXCUSED)


def total_so_far(policy: Policy, parts: Sequence[Part], scores: Scores) -> Total:
    """The score of what is known, as if the rest went the same way. None where nothing is known."""
    return total_of(arranged(policy, parts), scores, KNOWN)


def rounded(score: Fraction, round_to: Fraction | None) -> Fraction:
    """The nearest multiple of `round_to`, half up; the score itself without one."""
    if round_to is None:
        return score
    steps = score / round_to + Fraction(1, 2)
    return (steps.numerator // steps.denominator) * round_to


def arranged(policy: Policy, parts: Sequence[Part]) -> Arranged:
    """Each component with its parts; the same for everyone in the class."""
    by_kind: dict[str, list[Part]] = {}
    for part in parts:
        by_kind.setdefault(part.component, []).append(part)
    return tuple((rule, tuple(by_kind.get(rule.kind, ()))) for rule in policy.components)


def total_of(components: Arranged, scores: Scores, counting: frozenset[State]) -> Total:
    """One student's score, of which parts in these states count."""
    sizes = [_sizes(rule, listed, scores, counting) for rule, listed in components]
    carried = sum(
        (rule.weight for (rule, _), kept in zip(components, sizes, strict=True) if kept and not rule.extra_credit),
        Fraction(0),
    )
    grades = tuple(
        ComponentGrade(rule, _share(kept, scores), _weight(rule, kept, carried), listed, scores, kept, counting)
        for (rule, listed), kept in zip(components, sizes, strict=True)
    )
    return Total(sum((grade.adds for grade in grades), Fraction(0)) if carried else None, grades)


def _sizes(
    rule: ComponentRule, listed: Sequence[Part], scores: Scores, counting: frozenset[State]
) -> dict[str, Fraction | int]:
    """By key, each part that counts with its size; the lowest are dropped, of equals the last."""
    counted = [part for part in listed if scores.get(part.key, NOT_DUE).state in counting]
    sizes = {part.key: _size(rule, part, scores) for part in _without_lowest(rule, counted, scores)}
    return sizes if any(sizes.values()) else {}


def _without_lowest(rule: ComponentRule, counted: Sequence[Part], scores: Scores) -> Sequence[Part]:
    if not rule.drop_lowest or len(counted) < 2:
        return counted
    shares = [scores.get(part.key, NOT_DUE).share for part in counted]
    order = sorted(range(len(counted)), key=lambda place: (shares[place], -place))
    dropped = set(order[: min(rule.drop_lowest, len(counted) - 1)])
    return [part for place, part in enumerate(counted) if place not in dropped]


def _size(rule: ComponentRule, part: Part, scores: Scores) -> Fraction | int:
    if not rule.by_points:
        return 1
    score = scores.get(part.key, NOT_DUE)
    return score.max_points if score.state is State.GRADED else part.max_points


def _share(sizes: Mapping[str, Fraction | int], scores: Scores) -> Fraction | None:
    """The mean of what counts, by its sizes."""
    if not sizes:
        return None
    adds = (scores.get(key, NOT_DUE).share * size for key, size in sizes.items())
    return sum(adds, Fraction(0)) / sum(sizes.values())


def _weight(rule: ComponentRule, sizes: Mapping[str, Fraction | int], carried: Fraction) -> Fraction:
    if not sizes:
        return Fraction(0)
    return rule.weight if rule.extra_credit or not carried else rule.weight * HUNDRED / carried
