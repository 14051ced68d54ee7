"""The pages by which an instructor keeps the list: what they show, what comes back, and what they leave alone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from courses.models import Role
from readings.keeping.bibtex import read_bibtex
from readings.models import Reading
from tests.factories import EnrollmentFactory, OfferingFactory, ReadingFactory, summary

pytestmark = pytest.mark.django_db
SCRIPT = '"><script>alert(1)</script>'


@pytest.fixture
def readings(world):
    return [
        ReadingFactory(
            position=n,
            assignment__offering=world.offering,
            assignment__number=n,
            assignment__slug=f"r{n}",
            assignment__due_at=world.lab.due_at + timedelta(days=7 * n),
        )
        for n in (1, 2, 3)
    ]


@pytest.fixture
def keeper(world, browser):
    """The instructor's browser: `keeper("add", data)` posts, `keeper("add")` gets."""
    client = browser(world.instructor)

    def go(name: str, data: dict | None = None, *args: str):
        url = reverse(f"reading-list-{name}", args=[world.offering.slug, *args])
        return client.get(url) if data is None else client.post(url, data)

    return go


def form(**changes) -> dict[str, str]:
    return {"title": "A paper", "opens_at": "2026-01-20T00:00:00", "due_at": "2026-03-08T23:59:59"} | changes


def order(world) -> list[str]:
    return [reading.assignment.slug for reading in Reading.objects.of(world.offering).listed()]


def test_a_paper_is_added_by_hand(world, keeper):
    assert (
        keeper(
            "add", form(authors=" Ada Lovelace,  Alan Turing, ", year="2021", arxiv_id="arXiv:2104.04473v2")
        ).status_code
        == 302
    )
    reading = Reading.objects.of(world.offering).get()
    assert (reading.paper.authors, reading.paper.arxiv_id) == ("Ada Lovelace, Alan Turing", "2104.04473v2")
    assert reading.assignment.due_at.isoformat() == "2026-03-09T04:59:59+00:00"  # 8 March has 23 hours


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": " "}, "give the paper&#x27;s title"),
        ({"arxiv_id": "hello"}, "no arXiv id"),
        ({"doi": "hello"}, "no DOI"),
        ({"url": "javascript:alert(1)"}, "valid URL"),
        ({"url": "ftp://example.org"}, "valid URL"),
        ({"year": "12"}, "greater than or equal to 1900"),
        ({"title": "x" * 301}, "at most 300"),
        ({"due_at": "2026-01-19T00:00:00"}, "due before it opens"),
        ({"due_at": "2026-03-08T02:30:00"}, "may not exist"),  # clocks go from 2:00 to 3:00
        ({"due_at": "2026-11-01T01:30:00"}, "may be ambiguous"),  # and twice through this hour
        ({"due_at": "soon"}, "valid date/time"),
        ({"due_at": "9999-12-31T23:59:59"}, "year is out of reach"),
        ({"opens_at": "0001-01-01T00:00:00"}, "year is out of reach"),
        ({"title": "nul\0l"}, "Null characters"),
    ],
)
def test_bad_input_comes_back_with_a_sentence(world, keeper, changes, sentence):
    response = keeper("add", form(topic_hint="Kept <as> typed") | changes)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert "Kept &lt;as&gt; typed" in response.content.decode()
    assert not Reading.objects.exists()


def test_a_duplicate_is_asked_about_and_added_anyway(world, keeper):
    keeper("add", form())
    response = keeper("add", form(title="a PAPER!"))
    assert response.status_code == 422
    assert "number 1" in response.content.decode()
    assert "Add anyway" in response.content.decode()
    assert keeper("add", form(title="a PAPER!", anyway="yes")).status_code == 302
    assert Reading.objects.count() == 2


def test_a_row_is_edited_in_its_place(world, keeper, readings):
    page = keeper("edit", None, "r2")
    assert page.status_code == 200
    assert page.content.count(b'id="edit-paper"') == 1
    assert b"Paper 1" in page.content
    assert keeper("edit", form(title="Better"), "r2").status_code == 302
    readings[1].refresh_from_db()
    assert (readings[1].paper.title, order(world)) == ("Better", ["r1", "r2", "r3"])


def test_an_edit_asks_one_question_after_the_other(world, keeper, readings):
    summary(readings[1].assignment, world.student)
    first = keeper("edit", form(title="Paper 1"), "r2")
    assert "seems to be on the list" in first.content.decode()
    second = keeper("edit", form(title="Paper 1", anyway="yes"), "r2")
    assert second.status_code == 422
    assert "1 reading for which 1 summary was handed in" in second.content.decode()
    assert '<input type="hidden" name="anyway" value="yes">' in second.content.decode()
    assert keeper("edit", form(title="Paper 1", anyway="yes", confirmed="yes"), "r2").status_code == 302


@pytest.mark.parametrize(
    ("move", "wanted"),
    [
        ("r1:down", ["r2", "r1", "r3"]),
        ("r3:up", ["r1", "r3", "r2"]),
        ("r1:up", ["r1", "r2", "r3"]),
        ("r3:down", ["r1", "r2", "r3"]),
        ("r9:up", ["r1", "r2", "r3"]),
        ("r1:sideways", ["r1", "r2", "r3"]),
        (":", ["r1", "r2", "r3"]),
    ],
)
def test_a_button_moves_a_paper_by_one_place(world, keeper, readings, move, wanted):
    assert keeper("order", {"order": ["r1", "r2", "r3"], "move": move}).status_code == 302
    assert order(world) == wanted


def test_a_whole_order_is_saved_as_one_act(world, keeper, readings):
    keeper("order", {"order": ["r3", "r1", "r2"], "dates": "papers"})
    assert order(world) == ["r3", "r1", "r2"]


def test_an_old_page_cannot_undo_what_happened_meanwhile(world, keeper, readings):
    response = keeper("order", {"order": ["r3", "r1"]})
    assert response.status_code == 302
    assert order(world) == ["r1", "r2", "r3"]


def test_an_order_that_moves_dates_under_summaries_offers_both_ways(world, keeper, readings):
    summary(readings[0].assignment, world.student)
    dues = {reading.assignment.slug: reading.assignment.due_at for reading in readings}
    asked = keeper("order", {"order": ["r2", "r1", "r3"]})
    assert asked.status_code == 422
    assert asked.content.count(b'name="order"') == 3
    keeper("order", {"order": ["r2", "r1", "r3"], "dates": "papers"})
    assert order(world) == ["r2", "r1", "r3"]
    assert Reading.objects.get(pk=readings[0].pk).assignment.due_at == dues["r1"]


def test_hiding_removing_and_restoring_are_buttons(world, keeper, readings, browser):
    keeper("visibility", {"hidden": "yes"}, "r1")
    assert Reading.objects.get(pk=readings[0].pk).hidden
    summary(readings[1].assignment, world.student)
    keeper("remove", {}, "r2")
    keeper("remove", {}, "r3")
    assert order(world) == ["r1"]
    page = browser(world.instructor).get(reverse("readings", args=[world.offering.slug])).content.decode()
    assert "Archive: 1 paper" in page
    assert "Restore" in page
    ta_page = browser(world.ta).get(reverse("readings", args=[world.offering.slug])).content.decode()
    assert "Archive: 1 paper" in ta_page
    assert "Restore" not in ta_page
    keeper("restore", {}, "r2")
    assert order(world) == ["r1", "r2"]
    assert keeper("edit", None, "r3").status_code == 404


def test_only_instructors_see_how_the_list_is_kept(world, readings, browser):
    url = reverse("readings", args=[world.offering.slug])
    for who, kept in ((world.student, False), (world.ta, False), (world.instructor, True)):
        page = browser(who).get(url).content.decode()
        assert ("Add a paper" in page, "reading-order.js" in page) == (kept, kept)


BIB = r"""@misc{one, title = {Gau{\ss} and friends}, eprint = {2104.04473}, year = 2021}
@misc{broken, title = {No end
@misc{two, title = {Paper 1}}
@misc{bad, title = {Bad address}, url = {javascript:alert(1)}}
@misc{three, title = {Three}, author = {Erd{\H{o}}s, Paul}}
"""


def test_an_import_is_shown_before_it_happens(world, keeper, readings):
    page = keeper("import", {"text": BIB, "act": "preview"}).context["page"]
    assert [(row.key, row.picked, bool(row.problem), bool(row.duplicate)) for row in page.rows] == [
        ("one", True, False, False),
        ("broken", False, True, False),
        ("two", False, False, True),
        ("bad", False, True, False),
        ("three", True, False, False),
    ]
    assert Reading.objects.count() == 3
    keeper("import", {"text": BIB, "act": "add", "of": page.of, "pick": ["0", "1", "4", "9", "x"]})
    titles = [reading.paper.title for reading in Reading.objects.of(world.offering)]
    assert titles[3:] == ["Gauß and friends", "Three"]


def test_ticks_of_another_text_add_nothing(world, keeper):
    page = keeper("import", {"text": BIB, "act": "preview"}).context["page"]
    keeper("import", {"text": "@misc{other, title={Other}}", "act": "add", "of": page.of, "pick": ["0"]})
    assert not Reading.objects.exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_a_file_is_read_in_the_encodings_that_people_have(world, keeper, encoding):
    file = SimpleUploadedFile("papers.bib", "@misc{k, title = {Über GPUs}}".encode(encoding))
    page = keeper("import", {"file": file, "act": "preview"}).context["page"]
    assert [row.facts.title for row in page.rows] == ["Über GPUs"]
    assert "Über GPUs" in page.text


@pytest.mark.parametrize(
    "text", ["", "no bibtex", "@misc{", "\0@misc{a, title={b}}", "@misc{a, title={" + "x" * 400 + "}}"]
)
def test_text_that_cannot_be_imported_comes_back(world, keeper, text):
    for act in ("preview", "add"):
        response = keeper("import", {"text": text, "act": act, "pick": "0"})
        assert response.status_code in {200, 422}
    assert not Reading.objects.exists()


def test_what_is_imported_is_shown_as_text(world, keeper, browser):
    bib = (
        f"@misc{{k, title = {{T {SCRIPT}}}, author = {{{SCRIPT}}}, booktitle = {{{SCRIPT}}}, keywords = {{{SCRIPT}}}}}"
    )
    page = keeper("import", {"text": bib, "act": "preview"})
    assert SCRIPT not in page.content.decode()
    keeper("import", {"text": bib, "act": "add", "of": page.context["page"].of, "pick": "0"})
    assert Reading.objects.get().paper.title == f"T {SCRIPT}"
    for who in (world.student, world.instructor):
        shown = browser(who).get(reverse("readings", args=[world.offering.slug])).content.decode()
        assert SCRIPT not in shown
        assert "&lt;script&gt;" in shown


def test_the_export_is_what_the_viewer_sees_and_can_be_imported(world, keeper, readings, browser):
    keeper("visibility", {"hidden": "yes"}, "r1")
    url = reverse("reading-list-export", args=[world.offering.slug])
    titles = {
        who: [entry.facts.title for entry in read_bibtex(browser(getattr(world, who)).get(url).content.decode())]
        for who in ("student", "ta")
    }
    assert titles == {"student": ["Paper 2", "Paper 3"], "ta": ["Paper 1", "Paper 2", "Paper 3"]}


@pytest.fixture
def following(world):
    offering = OfferingFactory(starts_on=date(2027, 1, 19), ends_on=date(2027, 5, 6))
    EnrollmentFactory(offering=offering, user=world.instructor.user, role=Role.INSTRUCTOR)
    offering.recesses.create(name="Break", starts_on=date(2027, 1, 25), ends_on=date(2027, 1, 31))
    return offering


def test_a_copy_is_shown_before_it_is_made(world, keeper, readings, following):
    page = keeper("copy").context["page"]
    assert (page.target, page.first) == (following, date(2027, 1, 22))
    assert page.days == [date(2027, 1, 22), date(2027, 2, 5), date(2027, 2, 12)]
    posted = {
        "target": following.slug,
        "seen": following.slug,
        "first": "2027-01-22",
        "shown": "2027-01-22",
        "skip": ["2027-01-29"],
        "act": "copy",
    }
    assert keeper("copy", posted).status_code == 200  # these days were not shown
    assert keeper("copy", posted | {"seen_days": page.told}).status_code == 302
    assert [reading.paper.title for reading in Reading.objects.of(following)] == ["Paper 1", "Paper 2", "Paper 3"]
    again = keeper("copy").context["page"]
    assert (again.rows, again.there_already) == ((), 3)


def test_a_list_is_copied_to_nobody_elses_offering(world, keeper, readings, following):
    other = world.other_lab.offering
    posted = {"target": other.slug, "seen": other.slug, "first": "2027-01-22", "act": "copy"}
    assert keeper("copy", posted).status_code == 422
    assert not Reading.objects.of(other).exists()


def test_without_another_offering_there_is_nothing_to_copy_to(world, keeper, readings):
    assert "no offering to copy to" in keeper("copy").content.decode()


def test_extra_fields_of_a_post_change_nothing_else(world, keeper, readings):
    other = ReadingFactory(assignment__offering=world.other_lab.offering)
    extra = {
        "offering": other.assignment.offering_id,
        "paper": other.paper_id,
        "points": "99",
        "position": "1",
        "slug": "x",
    }
    keeper("edit", form(title="Mine") | extra, "r2")
    fresh = Reading.objects.of(world.offering).get(pk=readings[1].pk)
    assert (fresh.assignment.slug, fresh.position, fresh.assignment.points) == ("r2", 2, 12)
    assert fresh.paper_id != other.paper_id
