"""PDFs for the tests, written with reportlab: a paper in the style that the course asks for, and every way to break it one by one.

paper()                       conforms: eight content pages, references, an appendix, nobody's name
paper(page=A4)                the same on A4, and so on: see `Paper`
slides(12)                    landscape pages of large text
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

import reportlab
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

LETTER, A4 = (612.0, 792.0), (595.28, 841.89)
FONTS = Path(reportlab.__file__).parent / "fonts"
# as the files call themselves, which is what readers of the PDF see
TIMES, TIMES_BOLD, ARIAL, ARIAL_BOLD = (
    "TimesNewRomanPSMT",
    "TimesNewRomanPS-BoldMT",
    "ArialMT",
    "Arial-BoldMT",
)
FILES = {TIMES: "_er_____", TIMES_BOLD: "_eb_____", ARIAL: "_a______", ARIAL_BOLD: "_ab_____"}
WORDS = (  # noqa: SIM905 - they read better so
    "the of and to in a kernel memory batch token cache layer tensor pipeline schedule latency throughput device gradient attention "
    "weight training serving model request block page sparse dense stage parallel overlap bandwidth significant efficient first flow "
    "offline we measure show that is with for by on each when between under more than which can"
).split()
SECTIONS = (
    ("1  Introduction", 0.9),
    ("2  Related Work", 0.6),
    ("3  Preliminaries and Background", 0.7),
    ("4  Analysis of the Problem", 1.2),
    ("5  Design and Implementation", 1.6),
    ("6  Evaluation", 1.9),
    ("7  Conclusion", 0.4),
)


@dataclass(frozen=True)
class Paper:
    """How a paper is set. Left alone, it is as NeurIPS 2020 wants it."""

    page: tuple[float, float] = LETTER
    left: float = 108.0
    top: float = 72.0
    width: float = 396.0
    height: float = 648.0
    font: str = TIMES
    bold: str = TIMES_BOLD
    size: float = 10.0
    leading: float = 11.0
    columns: int = 1
    title: str = "Overlapping Communication with Computation"
    authors: tuple[str, ...] = ("Anonymous Author(s)", "Affiliation", "Address", "email")
    abstract: str = "Abstract"
    abstract_indent: float = 36.0
    abstract_paragraphs: int = 1
    abstract_size: float = 12.0
    abstract_font: str = ""
    abstract_centred: bool = True
    sections: tuple[tuple[str, float], ...] = SECTIONS
    references: str = "References"
    appendix: tuple[str, ...] = ("A  Proofs", "B  Further Results")
    thanks: str = ""
    sentence: str = ""
    author: str = ""
    numbered: bool = True
    line_numbers: bool = False
    head: str = ""
    drawn: Callable[[Canvas, int], None] = field(default=lambda _canvas, _page: None)
    options: tuple[tuple[str, object], ...] = ()


def paper(**changes: object) -> bytes:
    """The PDF of a paper with these changes."""
    return _paper(Paper(**changes))


@lru_cache(maxsize=64)
def _paper(shape: Paper) -> bytes:
    return _Setter(shape).set()


def slides(pages: int = 12, size: tuple[float, float] = (960.0, 540.0), font: str = ARIAL) -> bytes:
    """Slides with a title and a few lines each."""
    _register()
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=size, invariant=1)
    for number in range(1, pages + 1):
        canvas.setFont(font, 36)
        canvas.drawString(60, size[1] - 90, f"Slide {number}: what we measured")
        canvas.setFont(font, 20)
        for row in range(4):
            canvas.drawString(60, size[1] - 160 - 40 * row, f"Point {row + 1} of what this slide says")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def plain(draw: Callable[[Canvas], None], size: tuple[float, float] = LETTER, **options: object) -> bytes:
    """Whatever is drawn."""
    _register()
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=size, invariant=1, **options)
    draw(canvas)
    canvas.save()
    return out.getvalue()


@cache
def _register() -> None:
    """Embedded Type 1 fonts that reportlab brings along."""
    for name, file in FILES.items():
        face = pdfmetrics.EmbeddedType1Face(str(FONTS / f"{file}.afm"), str(FONTS / f"{file}.pfb"))
        assert face.name == name, face.name
        pdfmetrics.registerTypeFace(face)
        pdfmetrics.registerFont(pdfmetrics.Font(name, name, "WinAnsiEncoding"))


class _Setter:
    """Sets text from top to bottom, column after column, page after page."""

    def __init__(self, shape: Paper) -> None:
        _register()
        self.shape, self.out = shape, io.BytesIO()
        self.canvas = Canvas(self.out, pagesize=shape.page, invariant=1, **dict(shape.options))
        self.random = random.Random(498)
        self.number, self.column, self.y = 1, 0, shape.top
        self.first_top = shape.top  # below what spans both columns

    def set(self) -> bytes:
        shape = self.shape
        if shape.author:
            self.canvas.setAuthor(shape.author)
        self._furniture()
        self._title()
        if shape.abstract:
            self._abstract()
        self.first_top = self.y
        for heading, pages in shape.sections:
            self._section(heading, pages, shape.sentence if heading.startswith("1 ") else "")
        if shape.thanks:
            self._section(shape.thanks, 0.1)
        if shape.references:
            self._section(shape.references, 0.7)
        for heading in shape.appendix:
            self._section(heading, 0.5)
        self.canvas.save()
        return self.out.getvalue()

    @property
    def _column_width(self) -> float:
        return (self.shape.width - 18 * (self.shape.columns - 1)) / self.shape.columns

    @property
    def _x(self) -> float:
        return self.shape.left + self.column * (self._column_width + 18)

    def _title(self) -> None:
        shape = self.shape
        middle = shape.left + shape.width / 2
        self.y += 30
        self._text(middle, shape.title, shape.bold, 17, centred=True)
        self.y += 30
        for line in shape.authors:
            self._text(middle, line, shape.font, shape.size, centred=True)
            self.y += shape.leading
        self.y += 20

    def _abstract(self) -> None:
        shape = self.shape
        x = shape.left + shape.width / 2 if shape.abstract_centred else shape.left
        font = shape.abstract_font or shape.bold
        self._text(x, shape.abstract, font, shape.abstract_size, centred=shape.abstract_centred)
        self.y += 18
        for _ in range(shape.abstract_paragraphs):
            self._paragraph(
                9 // shape.abstract_paragraphs,
                shape.left + shape.abstract_indent,
                shape.width - 2 * shape.abstract_indent,
            )
        self.y += 10

    def _section(self, heading: str, pages: float, sentence: str = "") -> None:
        shape = self.shape
        start = self._flow()
        self._room(30)
        self.y += 16
        self._text(self._x, heading, shape.bold, shape.size * 1.2)
        self.y += 17
        while self._flow() < start + pages - 0.05:
            self._paragraph(6, sentence=sentence)
            sentence = ""

    def _flow(self) -> float:
        share = (self.y - self.shape.top) / self.shape.height
        return self.number - 1 + (self.column + share) / self.shape.columns

    def _paragraph(self, lines: int, x: float | None = None, width: float | None = None, sentence: str = "") -> None:
        """Justified lines, the last one short. A first one that is given breaks where it is full."""
        shape = self.shape
        offset = None if x is None else x - self._x
        for index, words in enumerate(self._lines(lines, width or self._column_width, sentence)):
            self._room(shape.leading)
            at = self._x + (offset or 0.0)
            self._justified(at, words, width or self._column_width, last=index == lines - 1)
            self.y += shape.leading
        self.y += shape.leading / 2

    def _lines(self, count: int, width: float, sentence: str) -> Iterator[list[str]]:
        words = sentence.split()
        for index in range(count):
            line: list[str] = []
            limit = width * (0.6 if index == count - 1 else 1.0)
            while True:
                word = words.pop(0) if words else self.random.choice(WORDS)
                if self._width(" ".join([*line, word])) > limit:
                    if sentence:
                        words.insert(0, word)
                    break
                line.append(word)
            yield line

    def _justified(self, x: float, words: list[str], width: float, *, last: bool) -> None:
        shape, text = self.shape, " ".join(words)
        self.canvas.setFont(shape.font, shape.size)
        space = 0.0 if last or len(words) < 2 else (width - self._width(text)) / (len(words) - 1)
        baseline = shape.page[1] - self.y - shape.size
        self.canvas.drawString(x, baseline, text, wordSpace=space)
        if shape.line_numbers:
            self.canvas.setFont(shape.font, 6)
            self.canvas.drawRightString(shape.left - 12, baseline, str(round(self.y)))

    def _width(self, text: str) -> float:
        return pdfmetrics.stringWidth(text, self.shape.font, self.shape.size)

    def _text(self, x: float, text: str, font: str, size: float, *, centred: bool = False) -> None:
        self.canvas.setFont(font, size)
        draw = self.canvas.drawCentredString if centred else self.canvas.drawString
        draw(x, self.shape.page[1] - self.y - size, text)

    def _room(self, needed: float) -> None:
        """Go on in the next column, or on the next page, where this one is full."""
        if self.y + needed <= self.shape.top + self.shape.height:
            return
        self.column += 1
        if self.column == self.shape.columns:
            self.canvas.showPage()
            self.number, self.column = self.number + 1, 0
            self._furniture()
        self.y = self.first_top if self.number == 1 else self.shape.top

    def _furniture(self) -> None:
        """The page's number, and what else a test wants on it."""
        shape = self.shape
        if shape.numbered:
            self.canvas.setFont(shape.font, shape.size)
            self.canvas.drawCentredString(shape.page[0] / 2, 36, str(self.number))
        if shape.head:
            self.canvas.setFont(shape.font, 9)
            self.canvas.drawString(shape.left, shape.page[1] - 40, f"{shape.head}, page {self.number}")
        shape.drawn(self.canvas, self.number)
