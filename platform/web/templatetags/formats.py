"""Format checks on other pages: one line for each PDF of a submission."""

from __future__ import annotations

from typing import Any

from django import template

from projects.format.selectors import summaries_of
from submissions.models import Submission

register = template.Library()


@register.inclusion_tag("format/_summaries.html")
def format_summaries(submission: Submission) -> dict[str, Any]:
    """`{% format_summaries submission %}`: what the submission's PDFs look like; nothing where it has none. One query."""
    return {"summaries": summaries_of(submission)}
