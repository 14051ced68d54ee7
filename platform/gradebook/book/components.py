"""From scores to one number.

Within a component the parts count equally, or by their points; the lowest are dropped, one always stays. A component whose parts are
all excused, or unknown in the score so far, leaves its weight to the others in proportion. Extra credit comes on top and leaves no weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gradebook.book.parts import KNOWN, ComponentRule, Part, Policy, Score, Scores, State

HUNDRED = Fraction(100)
NOT_DUE = Score(State.NOT_DUE)


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
    where nothing of it counts."""

    rule: ComponentRule
    parts: tuple[CountedPart, ...]
    share: Fraction | None
    weight: Fraction

    @property
    def adds(self) -> Fraction:
        """Its part of the score, in percent."""
        return self.weight * self.share if self.share is not None else Fraction(0)


@dataclass(frozen=True)
class Total:
    """A score in percent with the components that make it. `known` is how much of the weight is known, in percent."""

    score: Fraction | None
    components: tuple[ComponentGrade, ...]
    known: Fraction


def final_total(policy: Policy, parts: Sequence[Part], scores: Scores) -> Total:
    """The score if nothing more comes: what is unknown is zero. None where everything is excused."""
    return _total(policy, parts, scores, frozenset(State) - {State.EXCUSED})


def total_so_far(policy: Policy, parts: Sequence[Part], scores: Scores) -> Total:
    """The score of what is known, as if the rest went the same way. None where nothing is known."""
    return _total(policy, parts, scores, KNOWN)


def rounded(score: Fraction, round_to: Fraction | None) -> Fraction:
    """The nearest multiple of `round_to`, half up; the score itself without one."""
    if round_to is None:
        return score
    steps = score / round_to + Fraction(1, 2)
    return (steps.numerator // steps.denominator) * round_to


def _total(policy: Policy, parts: Sequence[Part], scores: Scores, counting: frozenset[State]) -> Total:
    by_kind: dict[str, list[Part]] = {}
    for part in parts:
        by_kind.setdefault(part.component, []).append(part)
    kept = {
        rule.kind: _kept(rule, [(part, scores.get(part.key, NOT_DUE)) for part in by_kind.get(rule.kind, [])], counting)
        for rule in policy.components
    }
    carried = sum((rule.weight for rule in policy.components if kept[rule.kind] and not rule.extra_credit), Fraction(0))
    grades = tuple(
        _component(rule, by_kind.get(rule.kind, []), scores, kept[rule.kind], carried) for rule in policy.components
    )
    score = sum((grade.adds for grade in grades), Fraction(0)) if carried else None
    return Total(score=score, components=grades, known=_known(policy, by_kind, scores))


def _kept(rule: ComponentRule, scored: Sequence[tuple[Part, Score]], counting: frozenset[State]) -> dict[str, Fraction]:
    """By key, each part that counts with its share of the component; the lowest are dropped, of equals the last."""
    counted = [(part, score) for part, score in scored if score.state in counting]
    order = sorted(range(len(counted)), key=lambda place: (counted[place][1].share, -place))
    dropped = set(order[: min(rule.drop_lowest, len(counted) - 1)]) if counted else set()
    kept = [(part, _size(rule, part, score)) for place, (part, score) in enumerate(counted) if place not in dropped]
    whole = sum((size for _, size in kept), Fraction(0))
    return {part.key: size / whole for part, size in kept} if whole else {}


def _size(rule: ComponentRule, part: Part, score: Score) -> Fraction:
    if not rule.by_points:
        return Fraction(1)
    return score.max_points if score.state is State.GRADED else part.max_points


def _component(
    rule: ComponentRule, parts: Iterable[Part], scores: Scores, kept: dict[str, Fraction], carried: Fraction
) -> ComponentGrade:
    weight = Fraction(0)
    if kept:
        weight = rule.weight if rule.extra_credit or not carried else rule.weight * HUNDRED / carried
    counted = tuple(_counted(part, scores.get(part.key, NOT_DUE), kept, weight) for part in parts)
    share = sum((kept[part.part.key] * part.score.share for part in counted if part.counts), Fraction(0))
    return ComponentGrade(rule=rule, parts=counted, share=share if kept else None, weight=weight)


def _counted(part: Part, score: Score, kept: dict[str, Fraction], weight: Fraction) -> CountedPart:
    counts = part.key in kept
    return CountedPart(
        part=part,
        score=score,
        counts=counts,
        dropped=not counts and score.state in KNOWN,
        weight=weight * kept.get(part.key, Fraction(0)),
    )


def _known(policy: Policy, by_kind: dict[str, list[Part]], scores: Scores) -> Fraction:
    """How much of the weight is decided, in percent of what is not excused."""
    known = whole = Fraction(0)
    for rule in policy.components:
        states = [scores.get(part.key, NOT_DUE).state for part in by_kind.get(rule.kind, [])]
        open_to = [state for state in states if state is not State.EXCUSED]
        if not open_to or rule.extra_credit:
            continue
        whole += rule.weight
        known += rule.weight * Fraction(sum(state in KNOWN for state in open_to), len(open_to))
    return known * HUNDRED / whole if whole else Fraction(0)
