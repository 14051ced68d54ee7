"""Each rule of the style finds its own fault and no other: a conforming paper has no finding, a broken one exactly the one it was given."""

from __future__ import annotations

import pytest
from PIL import Image
from reportlab.lib.colors import black
from reportlab.lib.utils import ImageReader

from grader.contract import FindingState
from tests.papers import A4, ARIAL, ARIAL_BOLD, SECTIONS, TIMES, paper

from .conftest import look_at, rules_of


def text_at(x: float, y: float, text: str, *pages: int, font: str = TIMES, size: float = 10):
    """Draws a text on some pages, x and y from the top left corner."""

    def draw(canvas, page: int) -> None:
        if page in pages:
            canvas.setFont(font, size)
            canvas.drawString(x, canvas._pagesize[1] - y, text)

    return draw


def picture_at(x: float, y: float, width: float, height: float, *pages: int):
    """Draws a grey picture."""
    grey = ImageReader(Image.new("RGB", (8, 8), (128, 128, 128)))

    def draw(canvas, page: int) -> None:
        if page in pages:
            canvas.drawImage(grey, x, canvas._pagesize[1] - y - height, width, height)

    return draw


def script(canvas, page: int) -> None:
    if page == 1:
        canvas._doc.Catalog.OpenAction = None
        canvas.setFillColor(black)


LONGER = tuple((name, pages + (1.2 if name.endswith("Evaluation") else 0)) for name, pages in SECTIONS)
SHORTER = tuple((name, pages * 0.5) for name, pages in SECTIONS)
BROKEN = {
    "A4": ({"page": A4}, {"page-size"}),
    "landscape": ({"page": (792.0, 612.0), "height": 468.0, "sections": SHORTER}, {"page-size"}),
    "two columns": ({"columns": 2}, {"columns"}),
    "an inch on both sides": ({"left": 72.0, "width": 468.0}, {"margins"}),
    "moved to the left": ({"left": 90.0}, {"margins"}),
    "a narrow column": ({"width": 360.0}, {"margins"}),
    "too high a text area": ({"top": 50.0, "height": 692.0}, {"margins"}),
    "9 pt": ({"size": 9.0, "abstract_size": 12.0}, {"font-size"}),
    "12 pt": ({"size": 12.0, "leading": 11.0, "sections": SHORTER}, {"font-size"}),
    "Arial": ({"font": ARIAL, "bold": ARIAL_BOLD}, {"font"}),
    "wide leading": ({"leading": 13.0, "sections": SHORTER}, {"leading"}),
    "tight leading": ({"leading": 10.4}, {"leading"}),
    "nine content pages": ({"sections": LONGER}, {"pages"}),
    "no abstract": ({"abstract": ""}, {"abstract"}),
    "abstract not indented": ({"abstract_indent": 0.0}, {"abstract-form"}),
    "abstract indented too far": ({"abstract_indent": 60.0}, {"abstract-form"}),
    "abstract of three paragraphs": ({"abstract_paragraphs": 3}, {"abstract-form"}),
    "abstract's heading at the left": ({"abstract_centred": False}, {"abstract-form"}),
    "abstract's heading not bold": ({"abstract_font": TIMES}, {"abstract-form"}),
    "abstract's heading small": ({"abstract_size": 10.0}, {"abstract-form"}),
    "fonts that are not in the file": ({"font": "Times-Roman", "bold": "Times-Bold"}, {"embedded-fonts"}),
    "a line into the right margin": (
        {"drawn": text_at(430, 400, "a table that is much too wide", 3)},
        {"overfull"},
    ),
    "a note in the left margin": ({"drawn": text_at(30, 300, "see below", 2)}, {"overfull"}),
    "text below the text area": ({"drawn": text_at(108, 745, "one line more than fits on a page", 4)}, {"overfull"}),
    "a picture into the margin": ({"drawn": picture_at(300, 200, 260, 80, 5)}, {"overfull"}),
    "names": ({"authors": ("Ada Lovelace and Charles Babbage", "University of London")}, {"authors"}),
    "a mail address": ({"authors": ("Anonymous Author(s)", "ada@example.edu")}, {"mails"}),
    "mail addresses in braces": ({"authors": ("Anonymous Author(s)", "{ada,charles}@example.edu")}, {"mails"}),
    "own work": ({"sentence": "In our previous work we have shown how to count with"}, {"own-work"}),
    "author in the properties": ({"author": "Ada Lovelace"}, {"pdf-author"}),
    "acknowledgements": ({"thanks": "Acknowledgements"}, {"thanks"}),
    "a part is missing": ({"sections": tuple(one for one in SECTIONS if "Related" not in one[0])}, {"parts"}),
}
HINTS = {"authors", "mails", "own-work", "pdf-author", "thanks", "parts"}


def test_a_conforming_paper_has_no_finding():
    report = look_at(paper())
    assert rules_of(report) == set()
    assert len(report.findings) == 18, "every rule was asked"
    assert (len(report.pages), report.content_pages) == (10, 8)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_paper_has_exactly_its_own_finding(name):
    changes, expected = BROKEN[name]
    report = look_at(paper(**changes))
    assert rules_of(report) == expected
    (found,) = (finding for finding in report.findings if finding.rule in expected)
    assert found.state is (FindingState.HINT if found.rule in HINTS else FindingState.FAILED)
    assert found.advice
    assert found.places, "each is marked on a page"
    assert found == report.findings[0], "what is wrong comes first"
    sizes = {page.page: page for page in report.pages}
    for place in found.places:
        page = sizes[place.page]
        assert -1 <= place.x < page.width
        assert -1 <= place.y < page.height


def test_lines_that_follow_each_other_are_one_place():
    changes, _ = BROKEN["abstract not indented"]
    (found,) = (one for one in look_at(paper(**changes)).findings if one.rule == "abstract-form")
    (block,) = found.places
    assert 390 < block.width < 400
    assert 9 * 11 < block.height < 14 * 11


def test_every_rule_is_broken_by_something():
    asked = {finding.rule for finding in look_at(paper()).findings}
    assert asked - set().union(*(rules for _, rules in BROKEN.values())) == {"active"}  # broken in test_hostile_pdfs.py
