"""What a grade is made of: parts, each student's score at each, and the policy by which they are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property


class State(StrEnum):
    """How a student stands at a part.

    Graded and missing count. What is not due or handed in and not graded yet is unknown: it is left out of the score so far, and is
    zero in the final one. What is excused never counts.
    """

    GRADED = "graded"
    UNGRADED = "ungraded"
    MISSING = "missing"
    NOT_DUE = "not due"
    EXCUSED = "excused"


KNOWN = frozenset({State.GRADED, State.MISSING})


@dataclass(frozen=True)
class Part:
    """One piece of work, or one number such as participation. `key` is unique in the offering; `component` is its component's kind."""

    key: str
    title: str
    component: str
    max_points: Fraction


@dataclass(frozen=True)
class Score:
    """One student at one part. `points` stand where it is graded, of `max_points`; more than all is possible."""

    state: State
    points: Fraction = Fraction(0)
    max_points: Fraction = Fraction(1)

    @cached_property
    def share(self) -> Fraction:
        """What counts of the part: 1 is all of it. Work that is missing or unknown has none."""
        return self.points / self.max_points if self.state is State.GRADED and self.max_points else Fraction(0)


@dataclass(frozen=True)
class ComponentRule:
    """How the parts of a component become its share, and what that weighs, in percent of the final score."""

    kind: str
    name: str
    weight: Fraction
    drop_lowest: int = 0
    by_points: bool = False
    extra_credit: bool = False


@dataclass(frozen=True)
class LetterRule:
    """One letter: from `absolute` on, or within a `share` of the class, in percent from where the letter before it ends."""

    letter: str
    absolute: Fraction
    share: Fraction


@dataclass(frozen=True)
class Policy:
    """All that decides grades beside the scores themselves. Letters stand from the best to the worst."""

    components: tuple[ComponentRule, ...]
    letters: tuple[LetterRule, ...]
    relative_from: int = 10
    round_to: Fraction | None = None


Scores = Mapping[str, Score]
"""One student's scores, by the part's key; a part without one is not due."""
