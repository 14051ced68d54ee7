"""From scores to one number.

Within a component the parts count equally, or by their points; the lowest are dropped, one always stays. A component whose parts are
all excused, or unknown in the score so far, leaves its weight to the others in proportion. Extra credit comes on top and leaves no weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from gradebook.book.parts import KNOWN, ComponentRule, Part, Policy, Score, Scores, State

HUNDRED = Fraction(100)
NOT_DUE = Score(State.NOT_DUE)
ALL_BUT_EXCUSED = frozenset(State) - {State.EXCUSED}
SETTLED = KNOWN | {State.EXCUSED}
Sizes = Mapping[str, Fraction | int]
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
    where nothing of it counts. `sizes` are those of the parts that count, by key."""

    rule: ComponentRule
    parts: tuple[CountedPart, ...]
    share: Fraction | None
    weight: Fraction
    sizes: Sizes

    @property
    def adds(self) -> Fraction:
        """Its part of the score, in percent."""
        return self.weight * self.share if self.share is not None else Fraction(0)


@dataclass(frozen=True)
class Total:
    """A score in percent, and by kind the share of each component of which something counts.

    How it came about is worked out when it is asked for: a class needs its scores, and a page one derivation.
    """

    score: Fraction | None
    shares: Mapping[str, Fraction]
    carried: Fraction
    arranged: Arranged
    scores: Scores
    counting: frozenset[State]

    @cached_property
    def components(self) -> tuple[ComponentGrade, ...]:
        """The components that make it, in the order of the policy."""
        return tuple(self._component(rule, listed) for rule, listed in self.arranged)

    @cached_property
    def known(self) -> Fraction:
        """How much of the weight is decided, in percent of what is not excused."""
        known = whole = Fraction(0)
        for rule, listed in self.arranged:
            states = [self.scores.get(part.key, NOT_DUE).state for part in listed]
            open_to = [state for state in states if state is not State.EXCUSED]
            if not open_to or rule.extra_credit:
                continue
            whole += rule.weight
            known += rule.weight * Fraction(sum(state in KNOWN for state in open_to), len(open_to))
        return known * HUNDRED / whole if whole else Fraction(0)

    def _component(self, rule: ComponentRule, listed: Sequence[Part]) -> ComponentGrade:
        sizes = _sizes(rule, listed, self.scores, self.counting)
        weight = Fraction(0)
        if sizes:
            weight = rule.weight if rule.extra_credit or not self.carried else rule.weight * HUNDRED / self.carried
        parts = tuple(self._part(part, sizes, weight) for part in listed)
        return ComponentGrade(rule, parts, self.shares.get(rule.kind), weight, sizes)

    def _part(self, part: Part, sizes: Sizes, weight: Fraction) -> CountedPart:
        score, counts = self.scores.get(part.key, NOT_DUE), part.key in sizes
        share = Fraction(sizes[part.key]) / sum(sizes.values()) if counts else Fraction(0)
        dropped = not counts and score.state in self.counting and bool(sizes)
        return CountedPart(part, score, counts, dropped, weight * share)


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


def total_of(
    components: Arranged, scores: Scores, counting: frozenset[State], so_far: Mapping[str, Fraction] | None = None
) -> Total:
    """One student's score, of which parts in these states count. The shares `so_far` are taken for components that are wholly known."""
    shares: dict[str, Fraction] = {}
    for rule, listed in components:
        if so_far is not None and rule.kind in so_far and _is_known(listed, scores):
            shares[rule.kind] = so_far[rule.kind]
        elif sizes := _sizes(rule, listed, scores, counting):
            shares[rule.kind] = _share(sizes, scores)
    counted = [rule for rule, _ in components if rule.kind in shares]
    carried = exact_sum(rule.weight for rule in counted if not rule.extra_credit)
    score = None
    if carried:
        whole = exact_sum(rule.weight * shares[rule.kind] for rule in counted if not rule.extra_credit)
        on_top = exact_sum(rule.weight * shares[rule.kind] for rule in counted if rule.extra_credit)
        score = whole * HUNDRED / carried + on_top
    return Total(score, shares, carried, components, scores, counting)


def _is_known(listed: Sequence[Part], scores: Scores) -> bool:
    return all(scores.get(part.key, NOT_DUE).state in SETTLED for part in listed)


def exact_sum(values: Iterable[Fraction]) -> Fraction:
    """The sum, brought to lowest terms once and not at every step: that is most of the time that a class takes."""
    above, below = 0, 1
    for value in values:
        if value.denominator == below:
            above += value.numerator
        else:
            above = above * value.denominator + value.numerator * below
            below *= value.denominator
    return Fraction(above, below)


def _sizes(rule: ComponentRule, listed: Sequence[Part], scores: Scores, counting: frozenset[State]) -> Sizes:
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


def _share(sizes: Sizes, scores: Scores) -> Fraction:
    """The mean of what counts, by its sizes."""
    shares = ((scores.get(key, NOT_DUE).share, size) for key, size in sizes.items())
    return exact_sum(share if size == 1 else share * size for share, size in shares) / sum(sizes.values())
