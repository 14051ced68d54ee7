"""Which submissions are read twice. A grader is never told that a reading is a second one."""

from __future__ import annotations


def is_chosen(assignment_id: int, enrollment_id: int) -> bool:  # noqa: ARG001 - the choice's own signature
    """Whether this student's work at this assignment is read by a second grader. None is chosen."""
    return False
