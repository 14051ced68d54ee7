"""Shares of attendance, shown as percent from the exact fraction."""

from __future__ import annotations

from fractions import Fraction

from django import template

from attendance.rule import percent as as_percent
from attendance.rule import plain as as_plain

register = template.Library()


@register.filter
def percent(share: Fraction | None) -> str:
    """`{{ score.share|percent }}`: `96.67 %`, or a dash."""
    return as_percent(share)


@register.filter
def plain(value: Fraction) -> str:
    """`{{ score.points|plain }}`: a fraction with at most two decimals."""
    return as_plain(value)


@register.filter
def change(difference: Fraction | None) -> str:
    """`{{ row.difference|change }}`: `+3.33`, in percent points, or words where there is no share before or after."""
    if difference is None:
        return "new"
    return f"{'+' if difference > 0 else ''}{as_plain(difference * 100)}"
