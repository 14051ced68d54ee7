"""Tables as CSV (RFC 4180, UTF-8) that spreadsheets read as text and numbers, never as formulas.

A text that a spreadsheet would take for a formula gets an apostrophe in front; `plain` takes exactly that one off again, so
what was exported comes back as it was.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from decimal import Decimal

from django.http import HttpResponse

# the signs that begin a formula, also in their wide forms, and the white space before which some programs skip
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
BOM = "\ufeff"


def cell(value: object) -> str:
    """A value as a cell: numbers stay numbers, None is empty, and text stays text."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and _FORMULA.match(text) else text


def plain(text: str) -> str:
    """What stood in a cell before `cell` wrote it."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Lines end in CRLF, and quotes stand where they are needed."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def csv_response(name: str, rows: Iterable[Iterable[object]], *, bom: bool = False) -> HttpResponse:
    """The table as a file to download. With `bom`, Excel knows without being asked that it is UTF-8."""
    body = (BOM if bom else "") + csv_text(rows)
    response = HttpResponse(body.encode(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
