"""What the pattern page shows."""

from __future__ import annotations


def patterns_page() -> object:
    """The examples on the page."""
    return object()
