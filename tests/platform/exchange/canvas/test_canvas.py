"""Grades for Canvas: its columns in its order, the numbers of the gradebook, and back again."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from courses.models import Enrollment
from exchange.canvas.reading import read_canvas, same
from exchange.canvas.services import MappingRefused, assign
from exchange.models import CanvasColumn
from exchange.numbers import numbers_of, rounded
from exchange.tables import read_grid
from gradebook.decisions.services import decide
from gradebook.freezing.services import freeze
from gradebook.presets import weights
from gradebook.services import create_scheme
from tests.factories import person, reported, submit

pytestmark = pytest.mark.django_db
EXPORT = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Lab 1: Tiny (4711),Essay (4712),Assignments Current Score\n"
    "    Points Possible,,,,,20,5,(read only)\n"
    '"Lindqvist, Ada",101,671,ada2,A,13,4,90\n'
    '"Mensah, Kofi",102,672,kofi3,A,,EX,\n'
    '"Student, Test",103,,ff,A,,,\n'
)


@pytest.fixture
def graded(world):
    """Ada has 6.5 of 10 at the lab, Kofi is excused, a third student has no IDs."""
    create_scheme(offering=world.offering, weights=weights("A"))
    for enrollment, ids in ((world.student, ("101", "671", "ada2")), (world.classmate, ("102", "672", "kofi3"))):
        names = ("lms_id", "sis_id", "sis_login")
        Enrollment.objects.filter(pk=enrollment.pk).update(section="A", **dict(zip(names, ids, strict=True)))
    person(world.offering, name="No Ids")
    reported(submit(world.lab, world.student), first=4.0, second=2.5)
    decide(student=world.classmate, part=world.lab, points=None, reason="was ill", by=world.instructor.user)
    return world


def url(world, rest: str = "") -> str:
    return f"/o/{world.offering.slug}/exchange/canvas/{rest}"


def rows(response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(response.content.decode())))


def read(world, browser, text: str = EXPORT):
    return browser(world.instructor).post(url(world, "read/"), {"export": SimpleUploadedFile("c.csv", text.encode())})


def test_the_file_is_as_canvas_imports_it(graded, browser):
    answer = browser(graded.instructor).get(url(graded, "canvas.csv"), {"column": ["lab:tiny", "final"]})
    assert answer.headers["Content-Disposition"].endswith('-canvas.csv"')
    head, points, ada, kofi = rows(answer)
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", graded.lab.label, "Final score"]
    assert [cell.strip() for cell in points] == ["Points Possible", "", "", "", "", "10", "100"]
    assert ada[:6] == ["Lindqvist, Ada", "101", "671", "ada2", "A", "6.5"]
    assert kofi[:6] == ["Mensah, Kofi", "102", "672", "kofi3", "A", "EX"]
    assert Decimal(ada[6]) == rounded(numbers_of(graded.offering).grades[graded.student.pk].final.score)


def test_who_lacks_ids_is_named_and_left_out(graded, browser):
    page = browser(graded.instructor).get(url(graded)).context["page"]
    assert [student.user.name for student in page.without_ids] == ["No Ids"]
    assert page.students == 2


def test_canvas_columns_are_remembered_and_filled(graded, browser):
    assert read(graded, browser).status_code == 302
    stored = {row.canvas_id: (row.title, row.key, row.points) for row in CanvasColumn.objects.all()}
    # called like the lab, whatever its number; the essay is none of ours, and what Canvas computes is not remembered
    assert stored == {"4711": ("Lab 1: Tiny", "lab:tiny", Decimal("20.00")), "4712": ("Essay", "", Decimal("5.00"))}
    head, points, ada, _ = rows(browser(graded.instructor).get(url(graded, "canvas.csv"), {"column": "lab:tiny"}))
    assert head[5] == "Lab 1: Tiny (4711)"
    assert (points[5], ada[5]) == ("20", "13")


def test_only_changed_columns_are_ticked(graded, browser):
    read(graded, browser)
    page = browser(graded.instructor).get(url(graded)).context["page"]
    lab = next(row for row in page.sendable if row.column.key == "lab:tiny")
    # Ada's 6.5 of 10 are the 13 of 20 there; Kofi is excused here and has nothing there
    assert (lab.differ, lab.chosen) == (1, True)
    assert all(not row.chosen for row in page.sendable if row.target is None)
    read(graded, browser, EXPORT.replace("A,,EX", "A,EX,"))
    page = browser(graded.instructor).get(url(graded)).context["page"]
    lab = next(row for row in page.sendable if row.column.key == "lab:tiny")
    assert (lab.differ, lab.chosen) == (0, False)


def test_the_file_that_was_written_is_read_back_to_the_same_numbers(graded, browser):
    points = (Decimal("7.13"), Decimal(10))
    decide(student=graded.student, part=graded.lab, points=points, reason="why", by=graded.ta.user)
    read(graded, browser)
    answer = browser(graded.instructor).get(url(graded, "canvas.csv"), {"column": "lab:tiny"})
    read(graded, browser, answer.content.decode())
    column = CanvasColumn.objects.get(key="lab:tiny")
    assert column.values == {str(graded.student.pk): "14.26", str(graded.classmate.pk): "EX"}
    page = browser(graded.instructor).get(url(graded)).context["page"]
    assert next(row for row in page.sendable if row.column.key == "lab:tiny").differ == 0


def test_scaled_points_are_rounded_once(graded, browser):
    read(graded, browser, EXPORT.replace(",,20,5,", ",,100,5,"))
    client, cells = browser(graded.instructor), []
    shares = [(Decimal(got), Decimal(most)) for most in (3, 7, 9, 12, 13) for got in range(1, most)]
    for share in shares:
        decide(student=graded.student, part=graded.lab, points=share, reason="why", by=graded.ta.user)
        cells.append(rows(client.get(url(graded, "canvas.csv"), {"column": "lab:tiny"}))[2][5])
    # by whole hundredths: 10000 times the share, half up
    by_hand = [Decimal((20000 * got + most) // (2 * most)) / 100 for got, most in shares]
    assert [Decimal(cell) for cell in cells] == by_hand


def test_a_column_that_is_out_of_nothing_in_canvas_holds_points_as_they_are(graded, browser):
    read(graded, browser, EXPORT.replace(",,20,5,", ",,0,5,"))
    _, points, ada, kofi = rows(browser(graded.instructor).get(url(graded, "canvas.csv"), {"column": "lab:tiny"}))
    assert (points[5], ada[5], kofi[5]) == ("0", "6.5", "EX")


def test_what_goes_where_is_for_the_instructor_to_say(graded, browser):
    read(graded, browser)
    lab, essay = CanvasColumn.objects.order_by("canvas_id")
    client = browser(graded.instructor)
    client.post(url(graded, "assign/"), {f"key-{lab.pk}": "final", f"key-{essay.pk}": "lab:tiny"})
    assert list(CanvasColumn.objects.order_by("canvas_id").values_list("key", flat=True)) == ["final", "lab:tiny"]
    # an export that is read again leaves that as it is
    read(graded, browser)
    assert list(CanvasColumn.objects.order_by("canvas_id").values_list("key", flat=True)) == ["final", "lab:tiny"]
    client.post(url(graded, "assign/"), {f"key-{lab.pk}": "", f"key-{essay.pk}": "no such key"})
    assert list(CanvasColumn.objects.order_by("canvas_id").values_list("key", flat=True)) == ["", "lab:tiny"]


def test_two_columns_do_not_hold_the_same_number(graded, browser):
    read(graded, browser)
    lab, essay = CanvasColumn.objects.order_by("canvas_id")
    with pytest.raises(MappingRefused, match="Essay"):
        assign(offering=graded.offering, keys={essay.pk: lab.key}, by=graded.instructor.user)
    assert CanvasColumn.objects.get(pk=essay.pk).key == ""


def test_columns_swap_their_numbers(graded, browser):
    read(graded, browser)
    lab, essay = CanvasColumn.objects.order_by("canvas_id")
    by = graded.instructor.user
    assign(offering=graded.offering, keys={essay.pk: "final"}, by=by)
    assert assign(offering=graded.offering, keys={essay.pk: "lab:tiny", lab.pk: "final"}, by=by) == 2
    assert list(CanvasColumn.objects.order_by("canvas_id").values_list("key", flat=True)) == ["final", "lab:tiny"]


def test_the_plain_table_has_everything(graded, browser):
    head, *people = rows(browser(graded.ta).get(f"/o/{graded.offering.slug}/exchange/grades.csv"))
    lines = [dict(zip(head, row, strict=True)) for row in people]
    ada = next(row for row in lines if row["name"] == "Ada Lindqvist")
    title = graded.lab.label
    assert (ada[f"{title}: points"], ada[f"{title}: out of"], ada[f"{title}: state"]) == ("6.5", "10", "graded")
    assert ada["Lab assignments: percent"] == "65"
    grade = numbers_of(graded.offering).grades[graded.student.pk]
    assert (ada["letter"], ada["absolute letter"], ada["relative letter"]) == (
        grade.letter.letter,
        grade.letter.absolute,
        "",
    )
    assert Decimal(ada["final score"]) == rounded(grade.final.score)
    kofi = next(row for row in lines if row["name"] == "Kofi Mensah")
    assert (kofi[f"{title}: state"], kofi[f"{title}: points"]) == ("excused", "")
    assert len(lines) == 3


def test_frozen_grades_are_what_is_sent(graded, browser):
    client = browser(graded.instructor)
    pages = [url(graded, "canvas.csv?column=lab:tiny&column=final"), f"/o/{graded.offering.slug}/exchange/grades.csv"]
    before = [client.get(page).content for page in pages]
    snapshot = freeze(offering=graded.offering, by=graded.instructor.user, note="final in spite of what is open")
    points = (Decimal(1), Decimal(10))
    decide(student=graded.student, part=graded.lab, points=points, reason="late", by=graded.ta.user)
    assert rows(client.get(pages[0])) == list(csv.reader(io.StringIO(before[0].decode())))
    sealed = client.get(pages[1]).content.decode()
    assert "6.5,10,graded" in sealed
    assert snapshot.sha256[:4] in client.get(url(graded)).content.decode()


def test_names_that_look_like_formulas_are_text(graded, browser):
    for name, address in (("=1+1", "x@example.edu"), ('@SUM(A1),"', "y@example.edu")):
        made = person(graded.offering, name=name, sort_name=name, email=address)
        Enrollment.objects.filter(pk=made.pk).update(lms_id=address)
    client = browser(graded.instructor)
    for response in (
        client.get(url(graded, "canvas.csv"), {"column": "final"}),
        client.get(f"/o/{graded.offering.slug}/exchange/grades.csv"),
    ):
        names = [row[0] for row in rows(response)]
        assert "'=1+1" in names
        assert "'@SUM(A1),\"" in names


@pytest.mark.parametrize(
    "text", ["", "Name,Email\nAda,a@x.edu\n", "Student,ID\nAda,1\n", "Student,Section,Lab (1)\nAda,A,2\n"]
)
def test_what_is_no_export_of_canvas_gets_a_sentence(graded, browser, text):
    answer = read(graded, browser, text)
    assert answer.status_code == 422
    assert answer.context["page"].refusal.endswith(".")
    assert not CanvasColumn.objects.exists()


def test_no_column_chosen_gets_a_sentence(graded, browser):
    answer = browser(graded.instructor).get(url(graded, "canvas.csv"))
    assert answer.status_code == 422
    assert "at least one column" in answer.content.decode()


@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        (Decimal("6.50"), "6.5", True),
        (Decimal("6.50"), "6.51", False),
        (Decimal(0), "", False),
        ("A-", "A-", True),
        ("EX", "EX", True),
        (None, "", True),
        (None, "3", False),
        (Decimal(1000), "1,000.00", True),
    ],
)
def test_equal_values_are_the_same_however_they_are_written(ours, theirs, equal):
    assert same(ours, theirs) is equal


def test_an_export_with_decimal_commas_says_the_same_as_one_with_points(graded, browser):
    comma = (
        "Student;ID;SIS User ID;SIS Login ID;Section;Lab 1: Tiny (4711);Essay (4712)\n"
        "    Points Possible;;;;;20,00;1.000,00\n"
        '"Lindqvist, Ada";101;671;ada2;A;13,00;4,5\n'
        '"Mensah, Kofi";102;672;kofi3;A;EX;1.000,00\n'
    )
    read(graded, browser, comma)
    lab, essay = CanvasColumn.objects.order_by("canvas_id")
    assert (lab.points, essay.points) == (20, 1000)
    ada, kofi = str(graded.student.pk), str(graded.classmate.pk)
    assert {who: Decimal(value) for who, value in essay.values.items()} == {ada: Decimal("4.5"), kofi: Decimal(1000)}
    page = browser(graded.instructor).get(url(graded)).context["page"]
    assert next(row for row in page.sendable if row.column.key == "lab:tiny").differ == 0
    answer = browser(graded.instructor).get(url(graded, "canvas.csv"), {"column": "lab:tiny"})
    assert [row[5] for row in rows(answer)[1:]] == ["20", "13", "EX"]


def test_semicolons_alone_make_no_decimal_comma(graded, browser):
    read(graded, browser, EXPORT.replace(",,20,5,", ",,8.25,5,").replace('"Lindqvist, Ada"', "Ada").replace(",", ";"))
    assert CanvasColumn.objects.get(canvas_id="4711").points == Decimal("8.25")


@pytest.mark.parametrize(("ours", "theirs"), [("参与", "期末考试"), ("Übung", "Bung"), ("संगठन", "संगीत")])
def test_names_in_any_script_are_told_apart(graded, browser, ours, theirs):
    graded.offering.components.filter(kind="participation").update(name=ours)
    read(graded, browser, EXPORT.replace("Lab 1: Tiny (4711)", f"{theirs} (4711)").replace("Essay", ours))
    assert list(CanvasColumn.objects.order_by("canvas_id").values_list("key", flat=True)) == ["", "participation"]


def test_ids_in_titles_are_the_last_ones(graded):
    text = "Student,ID,Essay (draft) (12),Quiz (2),No id\nPoints Possible,,10,x,\n"
    export = read_canvas(read_grid(text.encode()), [])
    assert [(row.canvas_id, row.title, row.points) for row in export.columns] == [
        ("12", "Essay (draft)", Decimal(10)),
        ("2", "Quiz", None),
    ]


def test_the_page_asks_as_often_for_many_students(graded, browser, django_assert_max_num_queries):
    client = browser(graded.instructor)
    for number in range(30):
        made = person(graded.offering)
        Enrollment.objects.filter(pk=made.pk).update(lms_id=f"x{number}")
    with django_assert_max_num_queries(45):
        assert client.get(url(graded)).context["page"].students == 32
