"""Tables come in as people's spreadsheets write them, and their lines keep the numbers that a spreadsheet shows."""

from __future__ import annotations

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.tables import GUESSED, LONGEST_CELL, MAX_BYTES, MAX_ROWS, TableRefused, read_grid

NAMES = "Name,Email\nTomás Ferreira,tomas@example.edu\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_any_usual_encoding_is_read(encoding):
    grid = read_grid(NAMES.encode(encoding))
    assert grid.columns == ("Name", "Email")
    assert grid.lines[0].cells == ("Tomás Ferreira", "tomas@example.edu")
    assert bool(grid.note) == (encoding not in {"utf-8", "utf-8-sig", "utf-16"})


def test_a_guessed_encoding_is_said():
    assert read_grid(NAMES.encode("latin-1")).note == GUESSED


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_ends_of_lines(delimiter, end):
    text = f"Name{delimiter}Email{end}Ada{delimiter}ada@example.edu{end}"
    assert read_grid(text.encode()).lines[0].cells == ("Ada", "ada@example.edu")


def test_lines_are_numbered_as_a_spreadsheet_shows_them():
    grid = read_grid(b"\n;;\nName;Email\nAda;a@x.edu\n\n;;\nKofi;k@x.edu\n;\n")
    assert [(line.number, line.cell(0)) for line in grid.lines] == [(4, "Ada"), (7, "Kofi")]


def test_the_line_by_which_excel_names_the_separator_is_no_header():
    grid = read_grid(b"sep=;\r\nName;Email\r\nAda;a@x.edu\r\n")
    assert grid.columns == ("Name", "Email")
    assert grid.lines[0].number == 3


def test_quoted_commas_and_line_ends_stay_in_their_cells():
    grid = read_grid(b'Name,Note\n"Lindqvist, Ada","one\ntwo"\n')
    assert grid.lines[0].cells == ("Lindqvist, Ada", "one\ntwo")


def test_what_our_own_export_guarded_comes_back_plain():
    assert read_grid(b"Name\n'=Ada\n").lines[0].cells == ("=Ada",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\n\n ,;\n", "empty"),
        (b"PK\x03\x04\x00\x00\x00", "workbook"),
        (b"a" * (MAX_BYTES + 1), "larger than 2 MB"),
        (b"x\n" * (MAX_ROWS + 5), "more than 5,000 lines"),
        (b",".join([b"x"] * 500), "more than 400 columns"),
        (b"\xff\xfeN", "middle of a letter"),
        (b'Name\n"' + b"x" * 200_000, "cannot be read as CSV"),
    ],
)
def test_what_is_no_table_gets_a_sentence(data, words):
    with pytest.raises(TableRefused, match=words):
        read_grid(data)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_are_a_fault(data):
    with suppress(TableRefused):
        assert all(len(cell) <= LONGEST_CELL for line in read_grid(data).lines for cell in line.cells)


# a letter in front, since what looks like a formula or white space has its own tests
CELLS = st.text("aZé9 ,;\t\"'=\n", max_size=12).map(lambda text: f"x{text}".strip())


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=2, max_size=8), st.sampled_from(",;\t"))
def test_what_was_written_is_read(rows, delimiter):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    grid = read_grid(out.getvalue().encode())
    assert [grid.columns, *(line.cells for line in grid.lines)] == [tuple(row) for row in rows]
