"""Summaries of readings: written item by item beside the paper's data, or uploaded, handed in with a receipt, shown with their marks."""

from __future__ import annotations
