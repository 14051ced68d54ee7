"""Exact numbers of the gradebook as text."""

from __future__ import annotations

from fractions import Fraction

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from gradebook.derivation.figures import figure, is_exact, plain
from gradebook.grid import Cell

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


SIGNS = {
    "pending": mark_safe('<span class="sheet-pending"><span class="visually-hidden">not released: </span></span>'),
    "staff": mark_safe('<span class="sheet-staff"><span class="visually-hidden">set by staff: </span></span>'),
}


@register.simple_tag
def sheet_cell(cell: Cell, url: str) -> SafeString:
    """`{% sheet_cell cell row.url %}`: a number of the grid that opens its derivation. A page has thousands, and as a template each
    costs three times as much."""
    kind = format_html(" sheet-{}", cell.kind) if cell.kind else ""
    note = format_html(' <span class="sheet-note">{}</span>', cell.note) if cell.note else ""
    return format_html(
        '<td class="num{}"><a href="{}{}">{}{}</a>{}</td>',
        kind,
        url,
        cell.to,
        SIGNS.get(cell.sign, ""),
        cell.text,
        note,
    )
