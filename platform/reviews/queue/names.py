"""Whether this sign-in shows students' names, by assignment. Nobody sees one before they ask."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase

KEY = "queue-names"


def are_shown(session: SessionBase, assignment_pk: int) -> bool:
    """Whether names stand on the pages of this assignment's queue."""
    return assignment_pk in session.get(KEY, [])


def toggle(session: SessionBase, assignment_pk: int) -> bool:
    """Show them, or hide them again; returns whether they are shown now."""
    shown = set(session.get(KEY, [])) ^ {assignment_pk}
    session[KEY] = sorted(shown)
    return assignment_pk in shown
