"""A result with its interval, as a mark on the scale of its board."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from reviews.boards.models import BoardResult
from reviews.boards.selectors import Board

register = template.Library()


@register.simple_tag
def interval(result: BoardResult, board: Board) -> SafeString:
    """A line from the low end to the high one and a dot at the value; the table's cell says the same in numbers."""
    low, value, high = (_at(number, board) for number in (result.low, result.value, result.high))
    return format_html(
        '<svg class="interval" height="16" aria-hidden="true"><line x1="{}%" x2="{}%" y1="8" y2="8"/>'
        '<circle cx="{}%" cy="8" r="4"/></svg>',
        low,
        high,
        value,
    )


def _at(number: float, board: Board) -> str:
    """Percent of the width, with room for the dot at both ends."""
    span = board.most - board.least
    return f"{4 + 92 * ((number - board.least) / span if span else 0.5):.1f}"
