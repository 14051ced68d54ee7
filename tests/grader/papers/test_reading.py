"""What real papers have: ligatures, hyphens, headings in every fashion, appendices, running heads, turned pages. Read as people do."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics

from grader.contract import FindingState, PaperStyle
from grader.papers import driver, facts
from grader.papers.layout import Layout, sheet
from grader.papers.sections import Outline
from grader.papers.style import NEURIPS_2020
from tests.papers import ARIAL, SECTIONS, TIMES, TIMES_BOLD, paper, plain, slides

from .conftest import look_at, rules_of


def sheets_of(data: bytes):
    document = driver.open_paper(None, np.frombuffer(data, np.uint8))
    numbers = range(1, document["pages"] + 1)
    return [sheet(number, msgspec.convert(driver.read_page(None, number), facts.Page)) for number in numbers]


def lines_of(draw, **options) -> list:
    """The lines of one page on which something is drawn."""
    (page,) = sheets_of(plain(lambda canvas: (draw(canvas), canvas.showPage()), **options))
    return list(page.lines)


def outline_of(data: bytes) -> Outline:
    return Outline(Layout(sheets_of(data), NEURIPS_2020.area), NEURIPS_2020)


class TestLines:
    def test_a_line_is_what_stands_on_one_baseline(self):
        def draw(canvas):
            canvas.setFont(TIMES, 10)
            canvas.drawString(100, 700, "One line of text")
            canvas.drawString(100, 689, "and another")

        one, two = lines_of(draw)
        assert (one.text, two.text) == ("One line of text", "and another")
        assert math.isclose(two.baseline - one.baseline, 11, abs_tol=0.05)
        assert math.isclose(one.x0, 100, abs_tol=0.5)
        assert math.isclose(one.baseline, 792 - 700, abs_tol=0.05)
        assert (one.size, one.upright, one.font.embedded) == (10.0, True, True)

    def test_raised_and_lowered_marks_belong_to_their_line(self):
        def draw(canvas):
            text = canvas.beginText(100, 700)
            for size, rise, words in (
                (7, 3.6, "1"),
                (10, 0, " x"),
                (7, -2, "i"),
                (10, 0, " is the mean"),
                (7, 3.6, "2"),
            ):
                text.setFont(TIMES, size)
                text.setRise(rise)
                text.textOut(words)
            canvas.drawText(text)

        (line,) = lines_of(draw)
        assert line.text.replace(" ", "") == "1xiisthemean2"
        assert line.size == 10
        assert math.isclose(line.baseline, 92, abs_tol=0.1)

    def test_a_wide_gap_parts_columns(self):
        def draw(canvas):
            canvas.setFont(TIMES, 10)
            canvas.drawString(100, 700, "left column")
            canvas.drawString(320, 700, "right column")

        assert [line.text for line in lines_of(draw)] == ["left column", "right column"]

    def test_letters_that_are_set_one_by_one_are_words(self):
        def draw(canvas):
            canvas.setFont(TIMES, 10)
            x = 100.0
            for letter in "set apart":
                canvas.drawString(x, 700, letter)
                x += canvas.stringWidth(letter, TIMES, 10) + 0.3

        (line,) = lines_of(draw)
        assert line.text == "set apart"

    def test_a_size_that_comes_from_a_matrix_is_the_size_one_sees(self):
        def draw(canvas):
            canvas.setFont(TIMES, 1)
            canvas.scale(10, 10)
            canvas.drawString(10, 70, "scaled text")

        (line,) = lines_of(draw)
        assert math.isclose(line.size, 10, abs_tol=0.05)
        assert math.isclose(line.x0, 100, abs_tol=0.5)

    def test_ligatures_are_letters(self):
        pdfmetrics.registerFont(pdfmetrics.Font("Ligatures", TIMES, "StandardEncoding"))

        def draw(canvas):
            canvas.setFont("Ligatures", 10)
            canvas.drawString(100, 700, "the \ufb01rst \ufb02ow of our pro\ufb01ler")

        (line,) = lines_of(draw)
        assert line.text == "the first flow of our profiler"

    def test_turned_text_is_known_as_such(self):
        def draw(canvas):
            canvas.setFont(TIMES, 10)
            canvas.translate(40, 300)
            canvas.rotate(90)
            canvas.drawString(0, 0, "a stamp in the margin")

        (line,) = lines_of(draw)
        assert not line.upright
        assert line.text.replace(" ", "") == "astampinthemargin"
        assert 25 < line.x0 < line.x1 < 55
        assert 380 < line.y0 < line.y1 < 500

    def test_a_turned_page_is_seen_as_its_reader_sees_it(self):
        def draw(canvas):
            canvas.setPageRotation(90)
            canvas.setFont(TIMES, 10)
            canvas.saveState()
            canvas.translate(100, 200)
            canvas.rotate(90)
            canvas.drawString(0, 0, "upright when the page is turned")
            canvas.restoreState()

        (page,) = sheets_of(plain(lambda canvas: (draw(canvas), canvas.showPage())))
        assert (page.width, page.height) == (612, 792), "reportlab turns the media box against it"
        (line,) = page.lines
        assert line.upright
        assert math.isclose(line.x0, 200, abs_tol=1)
        assert math.isclose(line.baseline, 100, abs_tol=1)

    def test_a_crop_box_moves_what_one_sees(self):
        def draw(canvas):
            canvas.setCropBox((50, 60, 450, 560))
            canvas.setFont(TIMES, 10)
            canvas.drawString(100, 500, "cropped")

        (page,) = sheets_of(plain(lambda canvas: (draw(canvas), canvas.showPage())))
        assert (page.width, page.height) == (400, 500)
        assert math.isclose(page.lines[0].x0, 50, abs_tol=0.5)
        assert math.isclose(page.lines[0].baseline, 60, abs_tol=0.5)


class TestHeadings:
    def headings(self, *names: str, **changes) -> list[str]:
        sections = tuple((name, 0.4) for name in names)
        return [one.heading for one in outline_of(paper(sections=sections, appendix=(), **changes)).sections]

    def test_numbered_and_unnumbered_ones(self):
        assert self.headings("1  Introduction", "2  Design", "3  Conclusion") == [
            "Abstract",
            "1 Introduction",
            "2 Design",
            "3 Conclusion",
            "References",
        ]
        assert self.headings("Introduction", "Design", "Conclusion")[1:4] == ["Introduction", "Design", "Conclusion"]
        assert self.headings("I. Introduction", "II. Design", "III. Conclusion")[2] == "II. Design"

    def test_headings_of_the_second_level_belong_to_their_section(self):
        assert self.headings("1  Introduction", "1.1  Contributions", "2  Design") == [
            "Abstract",
            "1 Introduction",
            "2 Design",
            "References",
        ]

    @pytest.mark.parametrize(
        "name", ["References", "REFERENCES", "Bibliography", "8  References", "References and Notes"]
    )
    def test_references_by_any_name_end_the_content(self, name):
        report = look_at(paper(references=name))
        assert report.content_pages == 8
        assert rules_of(report) == set()

    def test_an_appendix_that_comes_before_the_references_is_no_content(self):
        sections = (*SECTIONS, ("Appendix A  More Results", 2.0))
        outline = outline_of(paper(sections=sections, appendix=()))
        assert outline.content_pages == 8
        assert outline.content_end.heading == "Appendix A More Results"

    @pytest.mark.parametrize(
        "name", ["Acknowledgments", "Acknowledgements and Disclosure of Funding", "Broader Impact"]
    )
    def test_thanks_before_the_references_are_no_content(self, name):
        outline = outline_of(paper(thanks=name))
        assert outline.content_end.heading == name
        assert outline.content_pages == 8

    def test_a_paper_without_references_is_content_to_its_end(self):
        report = look_at(paper(references="", appendix=()))
        assert report.content_pages == 8
        found = next(one for one in report.findings if one.rule == "pages")
        assert "no references were found" in found.measured

    def test_a_heading_of_two_lines_is_one(self):
        def draw(canvas, page):
            if page == 2:
                canvas.setFont(TIMES_BOLD, 12)
                canvas.drawString(108, 792 - 300, "9  A Heading That Is Longer")
                canvas.drawString(108, 792 - 314, "Than One Line")

        assert "9 A Heading That Is Longer Than One Line" in [
            one.heading for one in outline_of(paper(drawn=draw)).sections
        ]


class TestFurniture:
    def test_running_heads_and_numbers_are_no_text(self):
        report = look_at(paper(head="CS 498 final report"))
        assert rules_of(report) == set()

    def test_numbers_of_lines_are_no_text(self):
        assert rules_of(look_at(paper(line_numbers=True))) == set()

    def test_pages_without_numbers_are_as_good(self):
        assert rules_of(look_at(paper(numbered=False))) == set()

    def test_a_number_alone_in_the_margin_is_found(self):
        def draw(canvas, page):
            if page == 2:
                canvas.setFont(TIMES, 10)
                canvas.drawString(60, 400, "42")

        assert rules_of(look_at(paper(drawn=draw))) == {"overfull"}


class TestOwnWork:
    @pytest.mark.parametrize(
        "sentence",
        [
            "In our previous work we have shown how",
            "This extends our earlier system with a cache",
            "We previously proposed a kernel for this",
        ],
    )
    def test_sentences_that_tell(self, sentence):
        assert rules_of(look_at(paper(sentence=sentence))) == {"own-work"}

    @pytest.mark.parametrize(
        "sentence", ["Previous work has shown how", "We propose a new system", "Our system is the first to"]
    )
    def test_sentences_that_do_not(self, sentence):
        assert rules_of(look_at(paper(sentence=sentence))) == set()

    def test_a_sentence_that_a_hyphen_breaks(self):
        def draw(canvas, page):
            if page == 2:
                canvas.setFont(TIMES, 10)
                canvas.drawString(108, 792 - 600, "and so it is as in our pre-")
                canvas.drawString(108, 792 - 611, "vious work on the same kernels")

        assert "own-work" in rules_of(look_at(paper(drawn=draw)))


class TestOtherStyles:
    def test_slides_are_asked_for_little(self):
        report = look_at(slides(12), PaperStyle.SLIDES, None, 12)
        assert rules_of(report) == set()
        assert {one.rule for one in report.findings} == {"pages", "page-size", "embedded-fonts", "active"}
        assert (report.sections, report.parts) == ((), ())

    @pytest.mark.parametrize(
        ("data", "rules"),
        [
            (slides(13), {"pages"}),
            (slides(12, font="Helvetica"), {"embedded-fonts"}),
            (
                plain(
                    lambda canvas: [
                        (
                            canvas.setPageSize(size),
                            canvas.setFont(ARIAL, 30),
                            canvas.drawString(50, 50, "x"),
                            canvas.showPage(),
                        )
                        for size in ((960, 540), (960, 540), (720, 540))
                    ]
                ),
                {"page-size"},
            ),
        ],
        ids=["too many", "fonts", "two sizes"],
    )
    def test_each_has_its_own_finding(self, data, rules):
        assert rules_of(look_at(data, PaperStyle.SLIDES, None, 12)) == rules

    def test_a_paper_of_no_style_may_be_of_any_form(self):
        odd = paper(columns=2, size=9.0, left=40.0, authors=("Ada Lovelace",), abstract="")
        assert rules_of(look_at(odd, PaperStyle.FREE, None, None)) == set()

    def test_too_few_pages(self):
        report = look_at(slides(3), PaperStyle.FREE, 5, None)
        (found,) = (one for one in report.findings if one.state is FindingState.FAILED)
        assert (found.measured, found.expected) == ("3 pages", "at least 5")


def test_pages_that_are_pictures_are_told_so_and_nothing_is_guessed():
    from PIL import Image

    scan = ImageReader(Image.new("RGB", (85, 110), (200, 200, 200)))

    def draw(canvas):
        for _ in range(3):
            canvas.drawImage(scan, 0, 0, 612, 792)
            canvas.showPage()

    report = look_at(plain(draw))
    assert rules_of(report) == {"text"}
    assert {one.rule for one in report.findings} == {"text", "page-size", "embedded-fonts", "active"}
    assert report.content_pages == 3
