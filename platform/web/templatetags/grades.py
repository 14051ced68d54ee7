"""Exact numbers of the gradebook as text."""

from __future__ import annotations

from fractions import Fraction

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from gradebook.derivation.figures import figure, is_exact, plain
from gradebook.grid import Cell, Row

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


@register.filter
def won_by(won: str | None) -> str:
    """Which column gave the letter, in the words of the pages: by score or by rank."""
    return {"absolute": "by score", "relative": "by rank", None: "–", "": "–"}.get(won, str(won))


SIGNS = {
    "pending": '<span class="sheet-pending"><span class="visually-hidden">not released: </span></span>',
    "staff": '<span class="sheet-staff"><span class="visually-hidden">set by staff: </span></span>',
}


@register.simple_tag
def sheet_cells(row: Row) -> SafeString:
    """`{% sheet_cells row %}`: the numbers of a student, each of which opens its derivation. A page has thousands, and as templates they
    cost three times as much; every text goes through `escape`."""
    url = escape(row.url)
    return mark_safe("".join(_cell(cell, url) for cell in row.cells))  # noqa: S308 - escaped piece by piece


def _cell(cell: Cell, url: str) -> str:
    kind = f" sheet-{escape(cell.kind)}" if cell.kind else ""
    note = f' <span class="sheet-note">{escape(cell.note)}</span>' if cell.note else ""
    sign = SIGNS.get(cell.sign, "")
    return f'<td class="num{kind}"><a href="{url}{escape(cell.to)}">{sign}{escape(cell.text)}</a>{note}</td>'
