"""Where one number comes from."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from gradebook.book.parts import Score, State
from gradebook.models import Decision


class Origin(NamedTuple):
    """Of one student at one part. `submission_pk` is the work that counts, or the latest of what is not graded; `attempt` its number.

    `pending`: there is a score, or a part of one, that the student does not see yet. `settled`: all of it has been released.
    `decision` stands in place of everything else.
    """

    submission_pk: int | None = None
    attempt: int | None = None
    attempts: int = 0
    overridden: bool = False
    pending: bool = False
    settled: bool = False
    decision: Decision | None = None


class Found(NamedTuple):
    """What a source says of one student at one part."""

    score: Score
    origin: Origin


NOTHING = Origin()
MISSING = Score(State.MISSING)
NOT_DUE = Score(State.NOT_DUE)
EXCUSED = Score(State.EXCUSED)
UNGRADED = Score(State.UNGRADED)


@lru_cache(maxsize=4096)
def graded(points: Decimal, max_points: Decimal) -> Score:
    """The score of graded work. Equal ones are one object, so a large class makes few of them."""
    return Score(State.GRADED, Fraction(points), Fraction(max_points))
