"""Rosters as CSV: read tolerantly, shown as adds, changes and drops, applied as one act."""

from __future__ import annotations
