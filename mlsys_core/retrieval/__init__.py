"""To find and to act on what was found: nearest neighbours, answers from documents with their sources, and loops with tools."""

from __future__ import annotations
