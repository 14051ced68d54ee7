"""Both files of nbgrader are read to the same points; files that only look like them, or mean harm, get a sentence."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import suppress
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.nbgrader import database
from exchange.nbgrader.database import MAGIC, read_database
from exchange.nbgrader.export import HEADER, read_export
from exchange.nbgrader.found import MOST, ImportRefused
from tests.platform.exchange.nbgrader.gradebooks import SCHEMA, Gradebook

HEAD = ",".join(HEADER)


def test_the_export_is_read_with_its_penalty_taken_off_and_nothing_handed_in_left_out():
    points = read_export(
        f"{HEAD}\nps1,,,yuki,,,,0.0,0.0,0.0,13.0\n"
        "ps1,,2026-01-01 10:00:00,ada,Lindqvist,Ada,Ada@Example.edu,12.0,0.0,12.0,13.0\n".encode()
    )
    (row,) = points.found
    assert (row.assignment, row.student_id, row.name, row.email) == ("ps1", "ada", "Ada Lindqvist", "ada@example.edu")
    assert (row.points, row.max_points) == (Decimal("12.00"), Decimal("13.00"))
    assert points.skipped == ("Row 2, yuki: handed nothing in for ps1.",)


def test_a_comma_in_a_name_does_not_move_the_points():
    line = "ps1,,2026-01-01,kofi,Mensah, Jr.,Kofi,,18.0,2.5,15.5,13.0"
    (row,) = read_export(f"{HEAD}\n{line}\n".encode()).found
    assert (row.name, row.points, row.max_points, row.penalty) == (
        "Kofi Mensah, Jr.", Decimal("15.50"), Decimal("13.00"), Decimal("2.50"),
    )  # fmt: skip


def test_points_without_a_moment_are_points():
    (row,) = read_export(f"{HEAD}\nps1,,,ada,,,,3,0,3,13\n".encode()).found
    assert row.points == 3


@pytest.mark.parametrize("cells", ["nan,13", "inf,13", "-1,13", "x,13", "3,0", "3,", "1e9,13"])
def test_what_are_no_points_is_named(cells):
    points = read_export(f"assignment,student_id,score,max_score\nps1,ada,{cells}\n".encode())
    assert points.found == ()
    assert points.wrong[0].startswith("Row 2, ada: ")


@pytest.mark.parametrize("text", ["", "Name,Email\nAda,a@x.edu\n", "assignment,student_id\nps1,ada\n"])
def test_another_table_is_refused(text):
    with pytest.raises(ImportRefused):
        read_export(text.encode())


def test_the_database_says_the_same_as_its_export(tmp_path):
    book = Gradebook(tmp_path / "gradebook.db")
    book.assignment("ps1")
    book.assignment("ps2")
    book.student("ada", first="Ada", last="Lindqvist", email="ada@example.edu", lms="101")
    book.student("kofi", first="Kofi", last="Mensah, Jr.")
    book.student("yuki")
    book.graded("ps1", "ada", 2.0)
    book.graded("ps1", "kofi", 1.0, 2.5, extra=0.5, penalty=1.25)
    book.graded("ps2", "ada", None, None, waits=True)
    points = read_database(book.data())
    by_student = {row.student_id: row for row in points.found}
    assert (by_student["ada"].points, by_student["ada"].max_points, by_student["ada"].lms_id) == (12, 13, "101")
    # six cells of 2.5 and 0.5 more each, less two notebooks' penalty
    assert (by_student["kofi"].points, by_student["kofi"].penalty) == (Decimal("15.5"), Decimal("2.5"))
    assert points.skipped == ("ada: 6 cells of ps2 wait for somebody to grade them.",)


def test_a_penalty_takes_no_more_than_there_is(tmp_path):
    book = Gradebook(tmp_path / "gradebook.db")
    book.assignment("ps1")
    book.graded("ps1", "ada", 0.5, penalty=9)
    assert read_database(book.data()).found[0].points == 0


def damaged(tmp_path, statements: str) -> bytes:
    book = Gradebook(tmp_path / "gradebook.db")
    book.assignment("ps1")
    book.student("ada")
    book.graded("ps1", "ada", 1.0)
    book.database.executescript(statements)
    return book.data()


@pytest.mark.parametrize(
    "statements",
    [
        "DROP TABLE grade",
        "ALTER TABLE grade DROP COLUMN manual_score",
        "ALTER TABLE grade RENAME TO g2; CREATE VIEW grade AS SELECT * FROM g2",
        # a table whose reading calls functions of its own choice
        "DROP TABLE student; CREATE VIRTUAL TABLE student USING fts5(id, first_name, last_name, email)",
        "UPDATE submitted_notebook SET late_submission_penalty = 'much'",
        "UPDATE grade SET auto_score = 'x'",
        # a column that is computed when it is read
        "DROP TABLE student; CREATE TABLE student (id TEXT, first_name TEXT, last_name TEXT, email AS (hex(zeroblob(9e8))))",
    ],
)
def test_another_schema_and_other_values_are_refused(tmp_path, statements):
    data = damaged(tmp_path, statements)
    with pytest.raises(ImportRefused, match="nbgrader"):
        read_database(data)


def test_a_query_that_takes_too_long_is_stopped(tmp_path, monkeypatch):
    book = Gradebook(tmp_path / "gradebook.db")
    book.assignment("ps1")
    for number in range(200):
        book.graded("ps1", f"s{number}", 1.0)
    data = book.data()
    monkeypatch.setattr(database, "LONGEST_S", -1.0)
    monkeypatch.setattr(database, "STEPS", 10)
    with pytest.raises(ImportRefused, match="interrupted"):
        read_database(data)


def test_bytes_that_our_database_does_not_take_are_left_out(tmp_path):
    points = read_database(damaged(tmp_path, "UPDATE student SET first_name = 'A' || char(0) || 'da', last_name = 'L'"))
    assert points.found[0].name == "Ada L"


def test_the_upload_is_not_changed_and_leaves_nothing_behind(tmp_path, monkeypatch):
    data = damaged(tmp_path, "")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = bytes(data)
    read_database(data)
    assert data == before
    assert list(scratch.iterdir()) == []


def test_an_older_database_without_ids_of_the_lms_is_read(tmp_path):
    path = tmp_path / "gradebook.db"
    with sqlite3.connect(path) as old:
        old.executescript(
            SCHEMA.replace(",\n  lms_user_id VARCHAR(128)", "").replace(
                "CREATE TABLE task_cells", "CREATE TABLE other_cells"
            )
        )
    old.close()
    assert read_database(path.read_bytes()).found == ()


@cache
def whole_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return damaged(Path(folder), "")


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_are_a_fault(data):
    for read in (read_export, lambda rest: read_database(MAGIC + rest)):
        with pytest.raises(ImportRefused):
            read(data)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_database_is_never_a_fault(data):
    whole = bytearray(whole_database())
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(16, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ImportRefused):
        assert all(0 <= row.points <= MOST for row in read_database(bytes(whole)).found)
