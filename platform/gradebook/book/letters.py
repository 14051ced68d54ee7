"""Letters: the better of the absolute and the relative column.

The absolute letter is the first whose cutoff the score reaches. The relative one goes by rank: with `a` students above and `n` in the
class, a student stands in the first letter for which a / n is less than the shares of the class from the top down to it. Ties have the
same `a`, so they share the better letter. Students who dropped are not in the class. In a class smaller than `relative_from` there is no
relative column. All comparisons are of integers and fractions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import ceil, lcm
from typing import TypeVar

from gradebook.book.components import HUNDRED, rounded
from gradebook.book.parts import LetterRule, Policy

K = TypeVar("K")


@dataclass(frozen=True)
class Letter:
    """A student's letter, by both columns. `above` students of `size` have a higher score; `relative` is None in a small class."""

    letter: str
    absolute: str
    relative: str | None
    score: Fraction
    above: int
    size: int

    @property
    def won(self) -> str:
        """Which column gave it: absolute, relative or both."""
        if self.absolute == self.relative:
            return "both"
        return "absolute" if self.letter == self.absolute else "relative"


def letters(policy: Policy, totals: Mapping[K, Fraction]) -> dict[K, Letter]:
    """The letter of everyone in the class, by their final scores in percent."""
    scores = {key: rounded(score, policy.round_to) for key, score in totals.items()}
    # as integers over one denominator, which compare exactly and in a tenth of the time of fractions
    whole = lcm(*(score.denominator for score in scores.values()))
    steps = {key: score.numerator * (whole // score.denominator) for key, score in scores.items()}
    ranked = sorted(steps.values())
    ladder = _Ladder(policy, whole, len(ranked))
    found = {step: ladder.letter(step, len(ranked) - bisect_right(ranked, step)) for step in set(ranked)}
    return {key: found[step] for key, step in steps.items()}


def absolute_letter(rules: Sequence[LetterRule], score: Fraction) -> str:
    """The best letter whose cutoff the score reaches; the last one is everyone's."""
    return _first_within(rules, absolute_limits(rules, score.denominator), -score.numerator)


def relative_letter(rules: Sequence[LetterRule], *, above: int, size: int) -> str:
    """The letter of a student with `above` of `size` students above."""
    return _first_within(rules, relative_limits(rules, size), above)


def absolute_limits(rules: Sequence[LetterRule], whole: int) -> tuple[int, ...]:
    """Of each letter, in steps of 1 / whole, the negative of the cutoff and one more: a score of n steps has it if -n is below."""
    return tuple(1 - ceil(rule.absolute * whole) for rule in rules)


def relative_limits(rules: Sequence[LetterRule], size: int) -> tuple[int, ...]:
    """Of each letter, how many must not be above: whoever has fewer above has this letter, or a better one."""
    return tuple(ceil(reached * size / HUNDRED) for reached in accumulate(rule.share for rule in rules))


def _first_within(rules: Sequence[LetterRule], limits: Sequence[int], value: int) -> str:
    return next((rule.letter for rule, limit in zip(rules, limits, strict=True) if value < limit), rules[-1].letter)


class _Ladder:
    """What is the same for everyone of a class of `size`, whose scores are counted in steps of 1 / whole."""

    def __init__(self, policy: Policy, whole: int, size: int) -> None:
        self.rules, self.whole, self.size = policy.letters, whole, size
        self.absolute = absolute_limits(self.rules, whole)
        self.relative = relative_limits(self.rules, size) if size >= policy.relative_from else None
        self.place = {rule.letter: place for place, rule in enumerate(self.rules)}

    def letter(self, step: int, above: int) -> Letter:
        """The letter of a score of so many steps that is below `above` others."""
        absolute = best = _first_within(self.rules, self.absolute, -step)
        relative = None if self.relative is None else _first_within(self.rules, self.relative, above)
        if relative is not None and self.place[relative] < self.place[absolute]:
            best = relative
        return Letter(best, absolute, relative, Fraction(step, self.whole), above, self.size)
