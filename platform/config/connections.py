"""Giving database connections back before the end of a request or a job."""

from __future__ import annotations

from django.db import connections


def give_back() -> None:
    """Close what this thread has open and may close: whoever goes on for long must not hold a connection that others wait for.

    A connection in the middle of a transaction is left alone.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
