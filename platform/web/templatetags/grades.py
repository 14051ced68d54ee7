"""Exact numbers of the gradebook as text."""

from __future__ import annotations

from fractions import Fraction

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gradebook.derivation.figures import figure, is_exact, plain

register = template.Library()


@register.filter
def exact(value: Fraction | None) -> SafeString | str:
    """`57.5`, or `≈57.44` with the whole fraction as a hint; a dash for none."""
    if value is None:
        return "–"
    if is_exact(value):
        return figure(value)
    return format_html('<span title="{}/{}">{}</span>', value.numerator, value.denominator, figure(value))


@register.filter
def rounded(value: Fraction | None) -> str:
    """The same without the sign, where a page says once that its numbers are rounded."""
    return "–" if value is None else plain(value)


@register.filter
def in_percent(share: Fraction | None) -> SafeString | str:
    """A share of 1: `57.5 %`."""
    return "–" if share is None else format_html("{} %", exact(share * 100))
