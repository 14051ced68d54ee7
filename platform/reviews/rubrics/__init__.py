"""Rubrics of work that is graded by hand: edited as one form, tried out before they are saved, copied, and taken back."""

from __future__ import annotations

from reviews.rubrics.summaries import give_summary_rubric

__all__ = ["give_summary_rubric"]
