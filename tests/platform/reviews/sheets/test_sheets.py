"""Scores as CSV: what a file holds, that it comes back as it was, and what an import shows before it stores anything."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from audit.models import AuditEvent
from config.spreadsheets import cell, csv_text, plain
from reviews.marking.models import Mark, Review
from reviews.marking.services import adjust
from reviews.models import RubricScore
from reviews.sheets.diff import diff_of
from reviews.sheets.export import assignment_table, offering_table
from reviews.sheets.parse import MAX_BYTES, SheetRefused, read_table
from reviews.sheets.rows import sheet_of
from tests.factories import ReadingFactory, person, reported, reviewed, submit, summary

SIGNS = "=+-@\t\r\n＝＋－＠"


@given(st.text())
def test_any_text_comes_back_as_it_was_and_is_no_formula(text):
    written = cell(text)
    assert plain(written) == text
    assert not written.startswith(tuple(SIGNS))
    (row,) = csv.reader(io.StringIO(csv_text([[text, "after"]]), newline=""))
    assert plain(row[0]) == text
    assert row[1] == "after"


@pytest.mark.parametrize("value", [Decimal("-1.50"), Decimal(0), Decimal("100"), 3])
def test_numbers_stay_numbers(value):
    assert Decimal(cell(value)) == value
    assert "E" not in cell(value)


def test_lines_end_as_the_standard_says_and_quotes_are_doubled():
    assert csv_text([["a", 'say "x"', "two\nlines"]]) == 'a,"say ""x""","two\nlines"\r\n'


@pytest.fixture
def reading(world):
    """Ada has 10 of 12 and a comment that a spreadsheet could run; Kofi handed in and has no marks; Zoe has nothing."""
    found = ReadingFactory(assignment__offering=world.offering).assignment
    ada = summary(found, world.student)
    reviewed(ada, world.ta, 2, 2, 2, 2, 1, 1, comment='=HYPERLINK("https://example.com")\n"two", lines; and ünï')
    summary(found, world.classmate)
    person(world.offering, name="Zoe Last")
    return found


def table(assignment) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(assignment_table(assignment)), newline="")))


def file_of(assignment, **cells: str) -> str:
    """The sheet with cells of Ada's line changed, by the beginning of their column's name."""
    rows = table(assignment)
    line = next(row for row in rows if row["email"] == "ada.lindqvist@example.edu")
    for start, value in cells.items():
        line[next(name for name in line if name.startswith(start))] = value
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def compare(assignment, text: str | bytes):
    return diff_of(sheet_of(assignment), read_table(text if isinstance(text, bytes) else text.encode()))


@pytest.mark.django_db
class TestExport:
    def test_a_line_a_student_and_a_column_an_item(self, world, reading):
        adjust(
            submission=reading.submissions.get(enrollment=world.student),
            points=Decimal("-1.5"),
            reason="late",
            by=world.ta.user,
        )
        ada = next(row for row in table(reading) if row["email"] == "ada.lindqvist@example.edu")
        assert list(ada)[:4] == ["email", "name", "receipt", "problem: The problem"]
        assert list(ada)[-5:] == ["adjustments", "total", "comment", "grader", "state"]
        assert (ada["problem: The problem"], ada["adjustments"], ada["total"]) == ("2", "-1.5", "8.5")
        assert (ada["grader"], ada["state"]) == ("Priya Raman", "graded")
        assert ada["comment"].startswith("'=HYPERLINK")
        states = {row["name"]: (row["state"], row["total"]) for row in table(reading)}
        assert states["Kofi Mensah"] == ("not graded", "")
        assert states["Zoe Last"] == ("nothing handed in", "")

    def test_nobody_of_another_offering_or_who_dropped_is_in_it(self, reading):
        people = {row["email"] for row in table(reading)}
        assert people == {"ada.lindqvist@example.edu", "kofi.mensah@example.edu", "zoe.last@example.edu"}

    def test_notes_for_staff_are_not_in_it(self, world, reading):
        Review.objects.update(staff_note="between us")
        assert "between us" not in csv_text([*assignment_table(reading), *offering_table(world.offering)])

    def test_a_lab_has_its_tasks(self, world):
        reported(submit(world.lab, world.student), 3.0, 4.0)
        ada = next(row for row in table(world.lab) if row["total"])
        assert ([ada[name] for name in ada if name[0].isdecimal()], ada["total"]) == (["3", "4"], "7")

    def test_all_assignments_stand_side_by_side(self, world, reading):
        reported(submit(world.lab, world.student), 3.0, 4.0)
        rows = list(csv.DictReader(io.StringIO(csv_text(offering_table(world.offering)), newline="")))
        ada = next(row for row in rows if row["email"] == "ada.lindqvist@example.edu")
        assert (ada["tiny total"], ada[f"{reading.slug} total"], len(rows)) == ("7", "10", 3)

    def test_for_excel_it_begins_with_a_mark(self, world, reading, browser):
        url = reverse("score-sheet-file", args=[world.offering.slug, reading.slug])
        client = browser(world.ta)
        plain_file, marked = client.get(url).content, client.get(url, {"bom": "1"}).content
        assert marked == b"\xef\xbb\xbf" + plain_file


@pytest.mark.django_db
class TestReading:
    def test_our_own_file_changes_nothing(self, reading):
        for text in (csv_text(assignment_table(reading)), "\ufeff" + csv_text(assignment_table(reading))):
            diff = compare(reading, text)
            assert (diff.changes, diff.problems, diff.unknown, diff.unchanged) == ((), (), (), 3)

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_columns_may_stand_in_any_order_and_be_parted_by_other_signs(self, reading, delimiter, encoding):
        text = (
            delimiter.join(["impact", "E-mail", "note"])
            + "\n"
            + delimiter.join(["1", "ADA.Lindqvist@example.edu", "x"])
        )
        diff = compare(reading, text.encode(encoding))
        (change,) = diff.changes
        assert [(item.title, item.before, item.after) for item in change.items] == [("Its impact", 2, 1)]
        assert diff.ignored == ("note",)

    def test_a_receipt_names_the_work_too(self, world, reading):
        pk = reading.submissions.get(enrollment=world.student).pk
        for receipt in (f"#{pk}", f"{pk}"):
            assert len(compare(reading, f"receipt,impact\n{receipt},0\n").changes) == 1

    def test_a_decimal_comma_is_read_where_commas_part_nothing(self, reading):
        (change,) = compare(reading, "email;impact\nada.lindqvist@example.edu;1,5\n").changes
        assert change.items[0].after == Decimal("1.5")

    def test_a_comment_with_line_ends_and_quotes_is_one_cell(self, reading):
        (change,) = compare(reading, 'email,comment\nada.lindqvist@example.edu,"one\r\n""two"", three"\n').changes
        assert change.comment == 'one\r\n"two", three'

    @pytest.mark.parametrize(
        ("line", "where", "said"),
        [
            ("ada.lindqvist@example.edu,,3", (2, "impact"), "takes 0 to 2 points, not 3"),
            ("ada.lindqvist@example.edu,,-1", (2, "impact"), "takes 0 to 2 points, not -1"),
            ("ada.lindqvist@example.edu,,two", (2, "impact"), "no number"),
            ("ada.lindqvist@example.edu,,NaN", (2, "impact"), "no number"),
            ("ada.lindqvist@example.edu,,1e0", (2, "impact"), "no number"),
            ("ada.lindqvist@example.edu,,٢", (2, "impact"), "no number"),
            ("ada.lindqvist@example.edu,,1.555", (2, "impact"), "no number"),
            ("ada.lindqvist@example.edu,#999999,1", (2, "receipt"), "not the work of Ada Lindqvist"),
            (",,1", (2, "email"), "nobody's score"),
            ("zoe.last@example.edu,,1", (2, "email"), "handed nothing in"),
            ("kofi.mensah@example.edu,,1", (2, "email"), "every item needs points"),
            ("ada.lindqvist@example.edu,,1\nada.lindqvist@example.edu,,0", (3, "email"), "same person as row 2"),
        ],
    )
    def test_each_bad_cell_is_named(self, reading, line, where, said):
        diff = compare(reading, f"email,receipt,impact\n{line}\n")
        (problem,) = diff.problems
        assert (problem.row, problem.column) == where
        assert said in problem.text
        assert not diff.can_apply

    def test_unknown_people_are_named_and_left_out(self, world, reading):
        diff = compare(
            reading,
            f"email,impact\nnobody@example.edu,1\n{world.other_student.user.email},1\nada.lindqvist@example.edu,1\n",
        )
        assert diff.unknown == ("Row 2: nobody@example.edu", f"Row 3: {world.other_student.user.email}")
        assert diff.can_apply

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "empty"),
            (b"\n\n", "empty"),
            (b"\xff\xfe\xfa", "not UTF-8"),
            ("email,impact\nadé,1".encode("latin-1"), "not UTF-8"),
            (b"email,impact\na\0b,1", "no text"),
            (b"name,impact\nAda,1", "neither a column"),
            (b"email,nothing\nx,1", "No column is named after an item"),
            (b"email,impact,Impact\nx,1,1", "Two columns are called"),
            (b"email,impact,Its impact\nx,1,1", "Two columns stand for"),
            (b'email,impact\n"x,1', "cannot be read as CSV"),
            (b'email,impact\n"x"y,1', "cannot be read as CSV"),
            (b"email,impact\nx,1,2,3", "Row 2 has 4 cells"),
            (b"email,impact\n" + b"x,1\n" * 6000, "more than 5000 lines"),
            (b"x" * (MAX_BYTES + 1), "larger than 2 MB"),
            (b"email,impact\n" + b"y" * 140_000, "cannot be read as CSV"),
        ],
    )
    def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(self, reading, data, said):
        with pytest.raises(SheetRefused, match=said):
            compare(reading, data)


@pytest.mark.django_db
class TestImport:
    @pytest.fixture
    def send(self, world, browser):
        """Upload a file as an instructor; returns the page."""

        def upload(assignment, text: str):
            url = reverse("score-sheet-preview", args=[world.offering.slug, assignment.slug])
            file = SimpleUploadedFile("scores.csv", text.encode())
            return browser(world.instructor).post(url, {"sheet": file})

        return upload

    @pytest.fixture
    def confirm(self, world, browser):
        """Confirm what a preview signed; returns the page that says what came of it."""

        def store(assignment, signed: str, reason: str = "the second key", who=None) -> str:
            url = reverse("score-sheet-apply", args=[world.offering.slug, assignment.slug])
            client = browser(who or world.instructor)
            return client.post(url, {"signed": signed, "reason": reason}, follow=True).content.decode()

        return store

    def test_nothing_is_stored_before_it_is_confirmed_and_then_exactly_that(self, world, reading, send, confirm):
        adjust(
            submission=reading.submissions.get(enrollment=world.student),
            points=Decimal(-1),
            reason="late",
            by=world.ta.user,
        )
        Review.objects.update(flagged=True, staff_note="look again")
        page = send(reading, file_of(reading, impact="0.5", comment="Shorter now."))
        assert page.status_code == 200
        assert Review.objects.get().revision == 1
        assert "The scores of 1 student are changed" in confirm(reading, page.context["page"].signed)
        review = Review.objects.get()
        assert [mark.score for mark in review.marks.all()] == [2, Decimal("0.5"), 2, 2, 1, 1]
        assert (review.comment, review.staff_note, review.flagged) == ("Shorter now.", "look again", True)
        assert next(row for row in table(reading) if row["name"] == "Ada Lindqvist")["total"] == "7.5"
        events = AuditEvent.objects.order_by("-pk")[:2]
        assert [(event.action, event.reason) for event in events] == [
            ("imported scores", "the second key"),
            ("graded", "the second key"),
        ]

    def test_work_without_marks_gets_them_where_every_item_has_points(self, world, reading, send, confirm):
        head = ",".join(item.task_id for item in reading.rubric.items.all())
        page = send(reading, f"email,{head}\nkofi.mensah@example.edu,2,1,2,1,2,1\n")
        confirm(reading, page.context["page"].signed)
        marks = Mark.objects.filter(review__submission__enrollment=world.classmate)
        assert sum(mark.score for mark in marks) == 9

    def test_a_labs_points_become_scores_set_by_staff(self, world, send, confirm):
        submission = reported(submit(world.lab, world.student), 3.0, 4.0)
        page = send(world.lab, f"receipt,1\n#{submission.pk},5\n")
        confirm(world.lab, page.context["page"].signed)
        row = RubricScore.objects.get()
        assert (row.score, row.reason, row.released_at) == (5, "the second key", None)

    def test_it_is_refused_when_a_score_changed_meanwhile(self, world, reading, send, confirm):
        page = send(reading, file_of(reading, impact="0"))
        submission = reading.submissions.get(enrollment=world.student)
        review = Review.objects.get()
        from reviews.marking.services import GivenMark, save_review

        marks = {mark.item_id: GivenMark(Decimal(1)) for mark in review.marks.all()}
        save_review(submission=submission, by=world.ta.user, marks=marks, revision=1)
        assert "Scores have changed since the preview" in confirm(reading, page.context["page"].signed)
        assert {mark.score for mark in Mark.objects.all()} == {Decimal(1)}
        assert not AuditEvent.objects.filter(action="imported scores").exists()

    def test_a_preview_is_used_once(self, reading, send, confirm):
        signed = send(reading, file_of(reading, impact="0")).context["page"].signed
        confirm(reading, signed)
        assert "Scores have changed since the preview" in confirm(reading, signed)
        assert Review.objects.get().revision == 2

    def test_what_was_not_previewed_is_not_stored(self, world, reading, send, confirm):
        signed = send(reading, file_of(reading, impact="0")).context["page"].signed
        other = ReadingFactory(assignment__offering=world.offering).assignment
        someone = person(world.offering, "instructor")
        for answer in (
            confirm(reading, ""),
            confirm(reading, "x"),
            confirm(reading, signed[:-2] + "xx"),
            confirm(other, signed),
            confirm(reading, signed, who=someone),
            confirm(reading, signed, reason=" "),
        ):
            assert 'role="alert"' in answer
        assert Review.objects.get().revision == 1

    def test_one_bad_cell_keeps_the_whole_file_back(self, reading, send):
        page = send(reading, "email,impact\nada.lindqvist@example.edu,1\nkofi.mensah@example.edu,9\n")
        assert (page.status_code, page.context["page"].signed) == (200, "")
        assert "Row 3, column “impact”" in page.content.decode()

    def test_a_file_that_cannot_be_read_comes_back_with_a_sentence(self, reading, send):
        page = send(reading, "hello")
        assert page.status_code == 422
        assert "neither a column" in page.content.decode()

    def test_what_people_wrote_is_text_on_the_preview(self, reading, send):
        page = send(reading, file_of(reading, comment="<script>alert(1)</script>")).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
