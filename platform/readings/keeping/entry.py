"""What a page shows of a form that a service sent back with a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from readings.keeping.dates import DatesTouchWork
from readings.keeping.duplicates import DuplicateFound
from readings.keeping.forms import PaperForm

ANSWERS = ("anyway", "confirmed")


@dataclass(frozen=True)
class Question:
    """Asked before the act is done: posting again with the field `name` says yes. `said` are the answers given already."""

    text: str
    name: str
    said: tuple[str, ...]


@dataclass(frozen=True)
class PaperEntry:
    """A paper's form. `slug` is empty for a new one; `summaries` were handed in for it.

    `find` was looked up: `notice` tells that it was found, `failure` why not.
    """

    form: PaperForm
    slug: str = ""
    question: Question | None = None
    notice: str = ""
    failure: str = ""
    find: str = ""
    can_look_up: bool = False
    summaries: int = 0


def question_of(error: DuplicateFound | DatesTouchWork, posted: Mapping[str, str]) -> Question:
    """The question that a service asks, with the answers that were posted so far."""
    name = "anyway" if isinstance(error, DuplicateFound) else "confirmed"
    return Question(str(error), name, tuple(answer for answer in ANSWERS if posted.get(answer) == "yes"))


def answers(posted: Mapping[str, str]) -> dict[str, bool]:
    """Which questions were answered with yes."""
    return {answer: posted.get(answer) == "yes" for answer in ANSWERS}
