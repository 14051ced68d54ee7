"""Tables as other systems and people's spreadsheets write them: any usual encoding, separator and quoting.

Where the letters had to be guessed, `Grid.note` says so, for the preview.
"""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata
from dataclasses import dataclass

from config.spreadsheets import BOM, plain
from reviews.sheets.parse import delimiter_of

MAX_BYTES, MAX_ROWS, MAX_COLUMNS = 2 * 1024 * 1024, 5000, 400
LONGEST_CELL = 500
GUESSED = (
    "The file is not UTF-8, so it was read as Windows-1252 (Latin-1). Look at names with accents before you go on."
)


class TableRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """A file that cannot be read; the text says why, and what to do."""


@dataclass(frozen=True)
class Line:
    """One line below the header, as many cells as it has. `number` is where a spreadsheet shows it."""

    number: int
    cells: tuple[str, ...]

    def cell(self, place: int | None) -> str:
        """A cell without the white space around it; empty where the line ends before, or for no place."""
        return self.cells[place].strip() if place is not None and place < len(self.cells) else ""


@dataclass(frozen=True)
class Grid:
    """A file as it was read. `delimiter` parts its columns: where that is a semicolon, numbers may have a decimal comma."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    note: str = ""
    delimiter: str = ","


def read_grid(data: bytes) -> Grid:
    """The header and the lines that hold something; raises `TableRefused`."""
    if len(data) > MAX_BYTES:
        raise TableRefused(
            f"The file is larger than {MAX_BYTES >> 20} MB. Export it with fewer columns and send it again."
        )
    text, note = _text(data)
    above, text = _without_blanks_above(text)
    delimiter = delimiter_of(text)
    listed = enumerate(_rows(text, delimiter), start=above + 1)
    rows = [(number, row) for number, row in listed if any(map(str.strip, row))]
    if rows and "".join(rows[0][1]).strip().casefold() == "sep=":  # Excel's own line, which names the separator
        del rows[0]
    if not rows:
        raise TableRefused("There is no file, or it is empty. Choose a CSV file whose first line names the columns.")
    columns = tuple(_clean(name).strip() for name in rows[0][1])
    return Grid(columns, tuple(Line(number, tuple(map(_clean, row))) for number, row in rows[1:]), note, delimiter)


def name_key(name: str) -> str:
    """What names are compared by: their letters and digits in any script, however they are written; empty for signs alone."""
    plain_name = unicodedata.normalize("NFKC", name.casefold())
    return "".join(letter for letter in plain_name if unicodedata.category(letter)[0] in "LMN")


def _without_blanks_above(text: str) -> tuple[int, str]:
    """The text from its first line that holds something, and how many lines stood above."""
    above = 0
    while text:
        line, _, rest = text.partition("\n")
        if line.strip(" \t\r,;"):
            break
        above, text = above + 1, rest
    return above, text


def _clean(cell: str) -> str:
    return plain(cell.replace("\xa0", " "))[:LONGEST_CELL]


def _text(data: bytes) -> tuple[str, str]:
    """The text, and a sentence where its encoding was guessed."""
    name, note = _encoding(data)
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        raise TableRefused("The file ends in the middle of a letter. Export it again, as CSV UTF-8.") from error
    if "\0" in text:
        raise TableRefused("The file is no text: perhaps a workbook (.xlsx). Save it as “CSV UTF-8” and send that.")
    return text.removeprefix(BOM), note


def _encoding(data: bytes) -> tuple[str, str]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", ""
    head = data[:400]
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):  # without a mark: every second byte of plain names is zero
        if len(head) > 8 and head[start::2].count(0) > len(head) // 4 > head[1 - start :: 2].count(0):
            return name, GUESSED.replace("Windows-1252 (Latin-1)", "UTF-16")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        # the five bytes that Windows-1252 lacks are letters of nobody's name
        return ("latin-1" if set(data) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "cp1252"), GUESSED
    return "utf-8", ""


def _rows(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [row for _, row in zip(range(MAX_ROWS + 2), reader, strict=False)]
    except csv.Error as error:
        raise TableRefused(f"Line {reader.line_num} cannot be read as CSV: {error}. Export the file again.") from error
    if len(rows) > MAX_ROWS + 1:
        raise TableRefused(f"The file has more than {MAX_ROWS:,} lines. Send it in parts.")
    if max(map(len, rows), default=0) > MAX_COLUMNS:
        raise TableRefused(f"The file has more than {MAX_COLUMNS} columns. Keep those that are needed.")
    return rows
