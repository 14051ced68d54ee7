"""The saves that a grader can take back: the last ones of a sign-in, kept in its session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from django.contrib.sessions.backends.base import SessionBase

KEY, ASIDE, KEPT = "queue-steps", "queue-taken-back", 20


@dataclass(frozen=True)
class Former:
    """A review as it was; its marks field by field, numbers as text, so that no digit is lost on the way."""

    grader_pk: int | None
    comment: str
    staff_note: str
    flagged: bool
    spent_s: int
    marks: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Step:
    """One save: what it made, and what was there before (None: nothing). `repeated`: it changed nothing."""

    assignment_pk: int
    submission_pk: int
    purpose: str
    revision: int
    former: Former | None = None
    adjustment_pk: int | None = None
    repeated: bool = False


def remember(session: SessionBase, step: Step) -> None:
    """Keep a save as the last one."""
    if not step.repeated:
        session[KEY] = [*session.get(KEY, []), msgspec.to_builtins(step)][-KEPT:]


def last(session: SessionBase, assignment_pk: int) -> Step | None:
    """The last save that was not taken back yet, of this assignment."""
    steps = [msgspec.convert(step, Step) for step in session.get(KEY, [])]
    return next((step for step in reversed(steps) if step.assignment_pk == assignment_pk), None)


def forget(session: SessionBase, step: Step) -> None:
    """It is taken back, or cannot be any more."""
    session[KEY] = [kept for kept in session.get(KEY, []) if msgspec.convert(kept, Step) != step]


def set_aside(session: SessionBase, submission_pk: int, former: Former) -> None:
    """Keep marks that were taken back for the page to which the grader goes now."""
    session[ASIDE] = {"submission": submission_pk, "marks": msgspec.to_builtins(former)}


def taken_back(session: SessionBase, submission_pk: int) -> Former | None:
    """Marks of this submission that were taken back a moment ago; they are told once."""
    aside = session.pop(ASIDE, None)
    return msgspec.convert(aside["marks"], Former) if aside and aside["submission"] == submission_pk else None
