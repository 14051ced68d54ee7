"""Retrieval-augmented generation without a download: answers from the course's own documents, quoted with their places, or refused.

Read in this order: `terms`, `chunks` and `corpus` (what is searched), `bm25` and `embed` (two searches), `hybrid` (both), `answer` (quote
or refuse), `evaluate` (how often that is right).
"""

from __future__ import annotations
