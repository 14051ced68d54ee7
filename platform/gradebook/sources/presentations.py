"""Presentations: the score of the talk that a student spoke in."""

from __future__ import annotations

from courses.models import Offering
from gradebook.book.parts import Score, State
from gradebook.sources.origins import UNGRADED, Found, Origin
from projects.presentations.scores import TalkScore, presentation_scores

KIND = "presentation"


def scores(offering: Offering, *, released_only: bool) -> dict[int, Found]:
    """By the id of the student's enrollment; a score that its team does not see yet is none with `released_only`. Four queries at most."""
    return {
        student: _found(talk, released_only=released_only) for student, talk in presentation_scores(offering).items()
    }


def _found(talk: TalkScore, *, released_only: bool) -> Found:
    origin = Origin(pending=not talk.released, settled=talk.released)
    if released_only and not talk.released:
        return Found(UNGRADED, origin)
    return Found(Score(State.GRADED, talk.points, talk.max_points), origin)
