"""The lanes that jobs wait in: each is a queue of its own, and all questions about lanes are answered here."""

from __future__ import annotations

from django.db.models import Case, CharField, Value, When

from assignments.models import Lab
from grading.services import GRADING, INTERACTIVE

LANES = {INTERACTIVE: "Run checks", GRADING: "Submissions"}


def lane_expression() -> Case:
    """A job's lane, for queries over many."""
    return Case(When(submission=None, then=Value(INTERACTIVE)), default=Value(GRADING), output_field=CharField())


def lanes_of_lab(_lab: Lab) -> frozenset[str]:
    """The lanes that a lab's jobs may come through."""
    return frozenset(LANES)
