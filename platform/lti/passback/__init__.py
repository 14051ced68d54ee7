"""Scores to the platform's gradebook: chosen and previewed by an instructor, sent by the sweeper."""

from __future__ import annotations
