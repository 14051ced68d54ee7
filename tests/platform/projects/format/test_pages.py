"""The report's page, its line on other pages, and the pictures: for authors and staff, in every state, with and without scripts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config import clock
from projects.format import claims
from projects.format.models import FormatCheck, PagePicture, State
from projects.format.runner import run_check
from projects.format.selectors import summaries_of
from submissions import storage
from tests.papers import A4, SECTIONS, paper

from .conftest import submission_of

pytestmark = pytest.mark.django_db


def url(check: FormatCheck, name: str = "format", *more: int) -> str:
    return reverse(name, args=[submission_of(check).pk, check.file_id, *more])


def html(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def line(check: FormatCheck) -> str:
    """The line on other pages."""
    (summary,) = summaries_of(submission_of(check))
    return render_to_string("format/_summary.html", {"summary": summary})


@pytest.fixture
def broken(hand_in) -> FormatCheck:
    """A4, nine content pages, with a name under the title."""
    longer = tuple((name, pages + (1.2 if name.endswith("Evaluation") else 0)) for name, pages in SECTIONS)
    check = hand_in(paper(page=A4, sections=longer, authors=("Ada <b>Lindqvist</b>",)))
    run_check(check.pk)
    return FormatCheck.objects.get(pk=check.pk)


def test_findings_come_first_with_their_pages_and_marks(broken, browser, world):
    text = html(browser(world.student).get(url(broken)))
    assert "Look at: Page size, Content pages; and 1 hint." in text
    titles = re.findall(r"<h3>([^<]+?) <span", text)
    assert titles == ["Page size", "Content pages", "Names under the title"]
    assert "9 pages (references from page 9" in text
    assert "Ada &lt;b&gt;Lindqvist&lt;/b&gt;" in text
    assert "<b>Lindqvist" not in text
    place = next(one for one in broken.report.findings if one.rule == "authors").places[0]
    assert f'<rect x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" height="{place.height:.1f}"' in text
    assert 'viewBox="0 0 595.3 841.9"' in text
    assert text.index("Findings") < text.index("Recommended") < text.index("as asked</summary>")
    assert "style=" not in re.sub(r"<link[^>]*>", "", text), "places are attributes"


def test_lengths_stand_beside_what_is_recommended(broken, browser, world):
    text = re.sub(r"\s+", " ", html(browser(world.ta).get(url(broken))))
    row = re.search(r"<tr><th scope=\"row\">Evaluation method and results</th>.*?</tr>", text).group()
    assert "6 Evaluation" in row
    length = next(part.pages for part in broken.report.parts if part.part.startswith("Evaluation"))
    assert f'data-label="Found">{length:g}<' in row
    assert 'data-label="Recommended">1<' in row
    assert "A Proofs" in text


def test_a_conforming_report_says_so(hand_in, browser, world):
    check = hand_in()
    run_check(check.pk)
    text = html(browser(world.classmate).get(url(check)))
    assert "10 pages, all as asked." in text
    assert 'id="findings"' not in text
    assert text.count("<img ") == 10


class TestStates:
    def test_waiting_it_asks_again_by_itself_and_without_scripts_by_loading(self, hand_in, browser, world):
        check = hand_in()
        text = html(browser(world.student).get(url(check)))
        assert f'hx-get="{url(check)}" hx-trigger="every 1s"' in text
        assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in text
        assert "Your work is handed in either way" in text
        FormatCheck.objects.filter(pk=check.pk).update(requested_at=clock.now() - timedelta(minutes=1))
        assert 'hx-trigger="every 10s"' in html(browser(world.student).get(url(check))), "seldom, once it takes long"
        claims.claim(check_id=check.pk)
        assert "hx-trigger" in html(browser(world.student).get(url(check)))
        FormatCheck.objects.filter(pk=check.pk).update(started_at=None, lease_until=None)
        run_check(check.pk)
        done = html(browser(world.student).get(url(check)))
        assert "every 1s" not in done
        assert 'http-equiv="refresh"' not in done

    def test_a_pdf_that_cannot_be_read_is_told_in_a_sentence(self, hand_in, browser, world):
        check = hand_in(b"%PDF-1.7 and no more")
        run_check(check.pk)
        text = html(browser(world.student).get(url(check)))
        assert "The file is damaged or is no PDF" in text
        assert "Not readable" in text
        assert 'id="pages"' not in text

    def test_our_fault_is_told_as_ours_and_staff_see_why_and_try_again(self, hand_in, browser, world):
        check = hand_in()
        FormatCheck.objects.filter(pk=check.pk).update(failed_at=clock.now(), error="SECRET PATH", faults=2)
        seen = html(browser(world.student).get(url(check)))
        assert "which is our fault" in seen
        assert "SECRET PATH" not in seen
        assert "Look at it again" not in seen
        staff = html(browser(world.ta).get(url(check)))
        assert "SECRET PATH" in staff
        response = browser(world.ta).post(url(check, "format-again"), follow=True)
        assert "will be looked at again" in html(response)
        assert FormatCheck.objects.get(pk=check.pk).state is State.WAITING
        assert "Nothing was changed" in html(browser(world.ta).post(url(check, "format-again"), follow=True))

    def test_pictures_that_are_no_longer_kept(self, broken, browser, world):
        PagePicture.objects.all().delete()
        text = html(browser(world.student).get(url(broken)))
        assert "no longer kept" in text
        assert "<img" not in text
        assert "Page size" in text

    def test_a_page_without_a_picture_keeps_its_place(self, broken, browser, world):
        PagePicture.objects.filter(page=2).delete()
        text = html(browser(world.student).get(url(broken)))
        assert "No picture" in text


class TestLine:
    def test_it_says_what_was_found_and_leads_to_the_report(self, broken):
        text = line(broken)
        assert "Look at: Page size, Content pages; and 1 hint." in text
        assert f'href="{url(broken)}"' in text
        assert "hx-get" not in text

    def test_while_it_waits_it_asks_again(self, hand_in, browser, world):
        check = hand_in()
        assert f'hx-get="{url(check, "format-summary")}" hx-trigger="every 1s"' in line(check)
        response = browser(world.student).get(url(check, "format-summary"))
        assert html(response).strip() == line(check).strip()
        assert response.headers["Cache-Control"] == "no-store"

    def test_of_work_without_a_pdf_there_is_none(self, hand_in):
        check = hand_in()
        check.delete()
        assert summaries_of(submission_of(check)) == []

    def test_it_costs_one_query(self, broken, django_assert_num_queries):
        submission = submission_of(broken)
        with django_assert_num_queries(1):
            (summary,) = summaries_of(submission)
            render_to_string("format/_summary.html", {"summary": summary})


class TestPictures:
    def test_it_is_the_picture_and_is_kept_by_the_browser_alone(self, broken, browser, world):
        picture = broken.pictures.get(page=3)
        client = browser(world.classmate)
        response = client.get(url(broken, "format-picture", 3))
        assert response.status_code == 200
        assert response.content == storage.read(picture.sha256)
        assert response.headers["Content-Type"] == "image/png"
        assert response.headers["Cache-Control"] == "private, max-age=86400"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        again = client.get(url(broken, "format-picture", 3), headers={"If-None-Match": response.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert "private" in again.headers["Cache-Control"]

    def test_there_is_none_of_a_page_that_is_not_there(self, broken, browser, world):
        assert browser(world.student).get(url(broken, "format-picture", 99)).status_code == 404

    def test_nobody_else_gets_one(self, broken, browser, world):
        for who in (world.stranger, world.other_student, world.other_instructor, world.dropped):
            for name, more in (("format", ()), ("format-summary", ()), ("format-picture", (1,))):
                assert browser(who).get(url(broken, name, *more)).status_code == 404


def test_a_page_asks_the_database_as_often_for_many_pages_as_for_few(hand_in, browser, world):
    counts = []
    for sections in (SECTIONS[:2], SECTIONS):
        check = hand_in(paper(sections=sections, page=A4))
        run_check(check.pk)
        client = browser(world.student)
        with CaptureQueriesContext(connection) as asked:
            html(client.get(url(check)))
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 12
