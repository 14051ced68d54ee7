"""Reading a CSV file as people and their spreadsheets write it: any order of columns, a BOM, semicolons or tabs, quoted line ends."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass

from config.spreadsheets import BOM, plain

MAX_BYTES, MAX_ROWS, MAX_COLUMNS = 2 * 1024 * 1024, 5000, 200
DELIMITERS = (",", ";", "\t")


class SheetRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """A file that cannot be read, or that cannot be applied; the text says why. Nothing was stored."""


@dataclass(frozen=True)
class Line:
    """One line below the header. `number` is where a spreadsheet shows it; `cells` go by the names of the columns."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A file as it was read. Numbers have a decimal comma where another sign parts the columns."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    decimal_comma: bool


def read_table(data: bytes) -> Table:
    """The header and the lines that hold something; raises `SheetRefused`."""
    text = _text(data)
    delimiter = delimiter_of(text)
    rows = _rows(text, delimiter)
    columns = tuple(plain(name).strip() for name in rows[0])
    _check(columns, rows)
    lines = (
        Line(number, {name: plain(value) for name, value in zip(columns, row, strict=False)})
        for number, row in enumerate(rows[1:], start=2)
        if any(value.strip() for value in row)
    )
    return Table(columns, tuple(lines), decimal_comma=delimiter != ",")


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise SheetRefused(
            f"The file is larger than {MAX_BYTES >> 20} MB. Keep the columns you need and send it again."
        )
    try:
        text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8")
    except UnicodeDecodeError as error:
        raise SheetRefused(
            f"The file is not UTF-8 (byte {error.start + 1}). In Excel, save it as “CSV UTF-8” and send it again."
        ) from error
    if "\0" in text:
        raise SheetRefused("The file holds bytes that are no text. Export it as CSV and send it again.")
    return text.removeprefix(BOM)


def delimiter_of(text: str) -> str:
    """The sign that stands most often in the header, outside of quotes."""
    head, quoted = [], False
    for letter in text:
        quoted ^= letter == '"'
        if letter in "\r\n" and not quoted:
            break
        if not quoted:
            head.append(letter)
    return max(DELIMITERS, key=head.count)


def _rows(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise SheetRefused(
            f"Line {reader.line_num} of the file cannot be read as CSV: {error}. Export it from your spreadsheet again."
        ) from error
    if not rows or not any(value.strip() for value in rows[0]):
        raise SheetRefused("There is no file, or it is empty. Choose a CSV file whose first line names the columns.")
    return rows


def _check(columns: tuple[str, ...], rows: list[list[str]]) -> None:
    if len(rows) > MAX_ROWS:
        raise SheetRefused(f"The file has more than {MAX_ROWS} lines. Send it in parts.")
    if len(columns) > MAX_COLUMNS:
        raise SheetRefused(f"The file has more than {MAX_COLUMNS} columns. Keep those of one assignment.")
    named = [name.casefold() for name in columns if name]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise SheetRefused(
            f"Two columns are called “{twice}”, so it is not clear which one counts. Remove one of them."
        )
    for number, row in enumerate(rows[1:], start=2):
        if len(row) > len(columns):
            raise SheetRefused(
                f"Row {number} has {len(row)} cells and the header has {len(columns)} columns. Perhaps a text with a comma has no quotes."
            )
