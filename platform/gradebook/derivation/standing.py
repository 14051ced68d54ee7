"""Where a student's part stands, in a word: what its score says, and what its source knows beyond that."""

from __future__ import annotations

from dataclasses import dataclass

from assignments.models import Assignment, Kind
from config import clock
from courses.pages import StateChip, day
from gradebook.book.parts import Score, State
from gradebook.sources.collect import Book
from gradebook.sources.origins import Origin
from grading.selectors import jobs_of
from reviews.releases.standing import taken_back
from submissions.models import Submission

CHIPS = {
    State.UNGRADED: StateChip("run", "Handed in", "inbox"),
    State.MISSING: StateChip("fail", "Missing"),
    State.NOT_DUE: StateChip("muted", "Nothing yet"),
    State.EXCUSED: StateChip("muted", "Excused", "circle-slash"),
}
NOTHING = StateChip("muted", "Nothing handed in")
HIDDEN = StateChip("warn", "Graded, not released")
SHOWN = StateChip("pass", "Released")
DECIDED = StateChip("muted", "Set by staff", "pencil")
TAKEN_BACK = StateChip("warn", "Taken back", "undo-2")


@dataclass(frozen=True)
class Standing:
    """The chip, and why it is so where someone gave a reason."""

    chip: StateChip
    why: str = ""


def standing_of(score: Score, origin: Origin) -> Standing:
    """As far as the score and its origin tell."""
    if origin.decision is not None:
        chip = CHIPS[State.EXCUSED] if score.state is State.EXCUSED else DECIDED
        return Standing(chip, origin.decision.reason)
    if origin.pending:
        return Standing(HIDDEN)
    if score.state is State.GRADED:
        return Standing(SHOWN if origin.settled else HIDDEN)
    return Standing(CHIPS[score.state])


def standings_of(book: Book, student: int) -> dict[str, Standing]:
    """By the part's key: what the source knows beyond the score. Three queries.

    The job of a lab that has no score yet; a release that was taken back, with its reason; work that is not open yet.
    """
    found = {}
    undecided = {key: book.origins[student, key] for key in book.works if book.origins[student, key].decision is None}
    chips, back = _of_jobs(book, student, undecided), _taken_back(undecided)
    for key, origin in undecided.items():
        assignment, state = book.works[key], book.scores[student][key].state
        if key in chips:
            found[key] = Standing(chips[key])
        elif origin.submission_pk in back and not origin.settled:
            found[key] = Standing(TAKEN_BACK, back[origin.submission_pk])
        elif state is State.NOT_DUE:
            is_open = assignment.is_open(clock.now())
            found[key] = Standing(NOTHING if is_open else StateChip("muted", f"Opens {day(assignment.opens_at)}"))
    return found


def _of_jobs(book: Book, student: int, origins: dict[str, Origin]) -> dict[str, StateChip]:
    waiting = {
        key: origin.submission_pk
        for key, origin in origins.items()
        if _is_lab(book.works[key]) and book.scores[student][key].state is State.UNGRADED
    }
    jobs = jobs_of(pk for pk in waiting.values() if pk is not None)
    return {key: jobs[pk].chip for key, pk in waiting.items() if pk in jobs}


def _taken_back(origins: dict[str, Origin]) -> dict[int | None, str]:
    work = Submission.objects.filter(pk__in=[origin.submission_pk for origin in origins.values()])
    return {pk: release.retract_reason for pk, release in taken_back(work).items()}


def _is_lab(assignment: Assignment) -> bool:
    return assignment.kind == Kind.LAB
