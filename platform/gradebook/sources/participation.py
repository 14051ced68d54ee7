"""Attendance and participation: one share, by the rule that the instructor set."""

from __future__ import annotations

from fractions import Fraction

from attendance.scores import participation_scores
from courses.models import Offering
from gradebook.book.parts import Score, State
from gradebook.sources.origins import Found, Origin

KIND = "participation"
PERCENT = Fraction(100)
RECORDED = Origin(settled=True)


def scores(offering: Offering) -> dict[int, Found]:
    """By the id of the student's enrollment, for those for whom anything counts yet; students see it as it is recorded. Five queries."""
    return {
        student: Found(Score(State.GRADED, score.share * PERCENT, PERCENT), RECORDED)
        for student, score in participation_scores(offering).items()
        if score.share is not None
    }
