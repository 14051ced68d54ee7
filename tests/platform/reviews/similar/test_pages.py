"""The pages of similar texts: staff read both and note what they think; students never see any of it."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from reviews.similar.models import SimilarPair, SimilarSearch, Status
from reviews.similar.selectors import pair_page, pair_row, pieces_of
from reviews.similar.services import search_similar
from submissions.texts import read_texts
from tests.factories import OfferingFactory, ReadingFactory, person, reviewed, summary

pytestmark = pytest.mark.django_db


def url(world, name, *more) -> str:
    return reverse(name, args=[world.offering.slug, *more])


@pytest.fixture
def pair(world, reading, writer) -> SimilarPair:
    shared = writer.paragraph()
    summary(reading, world.student, {"problem": f"{shared} <script>alert(1)</script>", "ideas": writer.paragraph(50)})
    summary(reading, world.classmate, {"ideas": shared, "impact": writer.paragraph(40)})
    search_similar(assignment=reading)
    return SimilarPair.objects.get()


def test_both_texts_stand_side_by_side_with_the_passages_marked(world, pair, browser):
    page = browser(world.ta).get(url(world, "similar-pair", pair.pk)).content.decode()
    assert page.count("<mark>") == 2
    assert "Ada Lindqvist" in page
    assert "Kofi Mensah" in page
    assert "The problem" in page
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    marked = [unescape(part.split("</mark>")[0]) for part in page.split("<mark>")[1:]]
    assert marked[0].lower() == marked[1].lower()
    assert len(marked[0].split()) == 100


def test_who_handed_in_first_stands_first_whatever_the_numbers_of_rows(world, pair):
    """A row that was stored later may be of an earlier moment, where data came from elsewhere."""
    for earlier, later in ((pair.first, pair.second), (pair.second, pair.first)):
        type(earlier).objects.filter(pk=earlier.pk).update(created_at=later.created_at - timedelta(hours=1))
        found = SimilarPair.objects.get(pk=pair.pk)
        row, page = pair_row(world.ta, found), pair_page(world.ta, found)
        assert (row.first.submission, row.second.submission) == (earlier, later)
        assert "".join(piece.text for piece in page.first[0].pieces) in read_texts(earlier).values()
        later.refresh_from_db()
        earlier.refresh_from_db()


def test_pieces_are_the_text():
    text = "one two three four"
    pieces = pieces_of(text, [(0, 3), (8, 13)])
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.text for piece in pieces if piece.shared] == ["one", "three"]


def test_the_list_is_filtered_by_status_and_reading(world, pair, reading, browser):
    client, link = browser(world.ta), url(world, "similar-pair", pair.pk)
    other = ReadingFactory(assignment__offering=world.offering).assignment
    for query, there in (
        ("", True),
        ("?status=open", True),
        ("?status=fine", False),
        ("?status=nonsense", True),
        (f"?work={reading.slug}", True),
        (f"?work={other.slug}", False),
    ):
        page = client.get(url(world, "similar") + query).content.decode()
        assert (link in page) is there, query


def test_a_judgement_is_kept_and_changes_no_score(world, pair, reading, browser):
    review = reviewed(pair.first, world.ta)
    data = {"status": "followed up", "note": "Spoke with both on <Tuesday>."}
    page = browser(world.ta).post(url(world, "similar-decide", pair.pk), data, follow=True).content.decode()
    assert "Spoke with both on &lt;Tuesday&gt;." in page
    assert "Followed up" in page
    pair.refresh_from_db()
    review.refresh_from_db()
    assert pair.status == Status.FOLLOWED_UP
    assert (review.revision, review.flagged, pair.first.adjustments.count()) == (1, False, 0)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"note": "typed"}, "choose a status"),
        ({"status": "guilty", "note": "typed"}, "one of the three"),
        ({"status": "fine", "note": "x" * 4001}, "below 4,000"),
        ({"status": "fine", "note": "typed\x00"}, "Null"),
    ],
)
def test_bad_input_is_told_and_what_was_typed_comes_back(world, pair, browser, data, sentence):
    response = browser(world.ta).post(url(world, "similar-decide", pair.pk), data)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert data["note"].strip("\x00") in response.content.decode()
    assert SimilarPair.objects.get().status == Status.OPEN


def test_what_everybody_may_quote_is_kept_and_too_much_comes_back(world, reading, browser):
    client, address = browser(world.ta), url(world, "similar-quotable", reading.slug)
    client.post(address, {"text": "We propose <b>blocks</b>."})
    assert SimilarSearch.objects.get().quotable == "We propose <b>blocks</b>."
    page = client.get(url(world, "similar-search", reading.slug)).content.decode()
    assert "&lt;b&gt;blocks" in page
    assert "Asked for" in page
    response = client.post(address, {"text": "long " * 5000})
    assert response.status_code == 422
    assert "below 20,000" in response.content.decode()
    assert "long long long" in response.content.decode()


def test_the_two_students_see_nothing_of_it(world, pair, reading, browser):
    for who in (world.student, world.classmate):
        client = browser(who)
        for name, more in (
            ("similar", ()),
            ("similar-pair", (pair.pk,)),
            ("similar-search", (reading.slug,)),
        ):
            assert client.get(url(world, name, *more)).status_code == 404
        for name, more in (
            ("similar-decide", (pair.pk,)),
            ("similar-search-now", (reading.slug,)),
            ("similar-quotable", (reading.slug,)),
        ):
            assert client.post(url(world, name, *more), {"status": "fine", "note": "no"}).status_code == 404
        for page in ("dashboard", "readings", "grades"):
            assert "imilar" not in client.get(url(world, page)).content.decode()
    assert SimilarPair.objects.get().status == Status.OPEN


def test_another_offerings_staff_see_nothing_of_it(world, pair, browser):
    other = world.other_instructor
    address = reverse("similar-pair", args=[other.offering.slug, pair.pk])
    assert browser(other).get(address).status_code == 404
    assert browser(other).get(url(world, "similar-pair", pair.pk)).status_code == 404


def test_who_a_student_of_another_offering_was_is_for_instructors(world, reading, writer, browser):
    before = OfferingFactory(
        course=world.offering.course, starts_on=world.offering.starts_on - timedelta(days=365), term="Spring 2025"
    )
    earlier = ReadingFactory(assignment__offering=before, assignment__title=reading.title).assignment
    text = writer.text(2)
    summary(earlier, person(before, name="Olga Ferrant"), {"problem": text})
    summary(reading, world.student, {"problem": text})
    search_similar(assignment=reading)
    pair = SimilarPair.objects.get()
    for address in (url(world, "similar"), url(world, "similar-pair", pair.pk)):
        for_ta = browser(world.ta).get(address).content.decode()
        assert "Olga Ferrant" not in for_ta
        assert "A student" in for_ta
        assert "Spring 2025" in for_ta
        assert "Olga Ferrant" in browser(world.instructor).get(address).content.decode()


def test_more_pairs_and_readings_ask_no_more_questions(world, pair, reading, writer, browser):
    def asked(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert browser(world.ta).get(address).status_code == 200
        return len(queries)

    addresses = url(world, "similar"), url(world, "similar-pair", pair.pk)
    few = [asked(address) for address in addresses]
    text = writer.text(2)
    for _ in range(6):
        summary(reading, person(world.offering), {"problem": text})
        ReadingFactory(assignment__offering=world.offering)
    search_similar(assignment=reading)
    assert SimilarPair.objects.count() > 10
    assert [asked(address) for address in addresses] == few
