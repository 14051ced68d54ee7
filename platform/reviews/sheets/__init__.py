"""Score sheets: the scores of an assignment, item by item, as CSV; and back, with a preview of what changes."""

from __future__ import annotations
