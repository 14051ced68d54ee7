"""What a team hands in for its project: one submission for all of its members."""

from __future__ import annotations
