"""Releases: the act that shows students the scores of an assignment, undone for a while, and taken back with a reason after it."""

from __future__ import annotations
