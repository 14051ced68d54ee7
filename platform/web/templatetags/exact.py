"""Exact numbers of the gradebook on pages: cut to two decimals, never rounded up."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from django import template

from gradebook.numbers import plain

register = template.Library()


@register.filter
def exact(value: Fraction | Decimal | int | None) -> str:
    """`89.99`; a dash when there is none."""
    return "–" if value is None else plain(value).replace("-", "−")
