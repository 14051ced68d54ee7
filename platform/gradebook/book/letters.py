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
    ranked = sorted(scores.values())
    size = len(ranked)
    found = {score: _letter(policy, score, size - bisect_right(ranked, score), size) for score in set(ranked)}
    return {key: found[score] for key, score in scores.items()}


def absolute_letter(rules: Sequence[LetterRule], score: Fraction) -> str:
    """The best letter whose cutoff the score reaches; the last one is everyone's."""
    return next((rule.letter for rule in rules if score >= rule.absolute), rules[-1].letter)


def relative_letter(rules: Sequence[LetterRule], *, above: int, size: int) -> str:
    """The letter of a student with `above` of `size` students above."""
    reached = Fraction(0)
    for rule in rules:
        reached += rule.share
        if above * HUNDRED < reached * size:
            return rule.letter
    return rules[-1].letter


def _letter(policy: Policy, score: Fraction, above: int, size: int) -> Letter:
    absolute = absolute_letter(policy.letters, score)
    relative = relative_letter(policy.letters, above=above, size=size) if size >= policy.relative_from else None
    order = [rule.letter for rule in policy.letters]
    best = min((letter for letter in (absolute, relative) if letter is not None), key=order.index)
    return Letter(letter=best, absolute=absolute, relative=relative, score=score, above=above, size=size)
