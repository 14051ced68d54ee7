"""The driver that reads a PDF inside the sandbox: sizes, lines of text, fonts, pictures of pages. It measures and decides nothing.

Its source is sent in as a lab's driver is, so nothing here may be imported from outside the sandbox but PDFium's bindings and numpy.
Places are hundredths of a point from the page's top left corner as a reader sees the page, whole numbers. Whatever comes out is
checked again where it arrives (`facts.py`): a PDF may have taken this process over.
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pypdfium2_raw as pdfium

MOST_CHARACTERS, MOST_LINES, MOST_TEXT = 40_000, 1_500, 400
MOST_FONTS, MOST_PICTURES, MOST_LINKS = 200, 100, 500
GAP, DRIFT, BACK = (
    1.5,
    0.5,
    1.5,
)  # in font sizes: between words of one line, off its baseline, back over what was set before
META = ("Title", "Author", "Subject", "Keywords", "Creator", "Producer")
PROBE = 1000.0
REFUSED = {pdfium.FPDF_ERR_PASSWORD: "password", pdfium.FPDF_ERR_SECURITY: "security"}

_open: dict[str, Any] = {}


class Style(NamedTuple):
    """Of one piece of text: its font, its size in hundredths of a point, and whether it stands upright."""

    font: int
    size: float
    upright: bool


class Glyph(NamedTuple):
    """A character as it stands on the page."""

    text: str
    x0: float
    x1: float
    baseline: float
    font: int
    size: float
    upright: bool


def open_paper(_: object, data: np.ndarray) -> dict[str, Any]:
    """Read the PDF's bytes (uint8) and tell what the whole of it is; {"refused": …} where it cannot be opened."""
    if not _open:
        pdfium.FPDF_InitLibraryWithConfig(pdfium.FPDF_LIBRARY_CONFIG(version=2))
    held = data.tobytes()  # PDFium reads from it as long as the document is open
    document = pdfium.FPDF_LoadMemDocument64(held, len(held), None)
    if not document:
        return {"refused": REFUSED.get(pdfium.FPDF_GetLastError(), "format")}
    _open.update(document=document, held=held)
    return {
        "pages": pdfium.FPDF_GetPageCount(document),
        "meta": {name: _meta(document, name) for name in META},
        "scripts": max(0, pdfium.FPDFDoc_GetJavaScriptActionCount(document)),
        "attachments": max(0, pdfium.FPDFDoc_GetAttachmentCount(document)),
    }


def read_page(_: object, number: int) -> dict[str, Any]:
    """One page, from 1: its size, what stands on it, and what it would start; {"refused": …} where it cannot be read."""
    page = pdfium.FPDF_LoadPage(_open["document"], number - 1)
    if not page:
        return {"refused": "page"}
    try:
        return _Page(page).facts()
    finally:
        pdfium.FPDF_ClosePage(page)


def draw_page(_: object, number: int, longest: int) -> np.ndarray:
    """The page as pixels (height, width, 3), uint8, its longer side `longest` pixels."""
    page = pdfium.FPDF_LoadPage(_open["document"], number - 1)
    width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    scale = longest / max(width, height, 1.0)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    pixels = np.full((rows, columns, 3), 255, np.uint8)
    bitmap = pdfium.FPDFBitmap_CreateEx(columns, rows, pdfium.FPDFBitmap_BGR, pixels.ctypes.data, columns * 3)
    pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, columns, rows, 0, pdfium.FPDF_ANNOT)
    pdfium.FPDFBitmap_Destroy(bitmap)
    pdfium.FPDF_ClosePage(page)
    return np.ascontiguousarray(pixels[:, :, ::-1])


class _Page:
    """One open page, and the way from its own coordinates to those of a reader."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.width = pdfium.FPDF_GetPageWidthF(page)
        self.height = pdfium.FPDF_GetPageHeightF(page)
        self.fonts: dict[tuple[str, bool], int] = {}
        self._found: dict[int, int] = {}
        zero, right, up = (self._probe(*point) for point in ((0.0, 0.0), (PROBE, 0.0), (0.0, PROBE)))
        self._zero = zero
        self._right = ((right[0] - zero[0]) / PROBE, (right[1] - zero[1]) / PROBE)
        self._up = ((up[0] - zero[0]) / PROBE, (up[1] - zero[1]) / PROBE)

    def facts(self) -> dict[str, Any]:
        """All of it."""
        lines, cut = self._lines()
        return {
            "width": round(self.width * 100),
            "height": round(self.height * 100),
            "lines": lines,
            "cut": cut,
            "fonts": [list(font) for font in self.fonts],
            "pictures": list(self._pictures()),
            "launches": self._launches(),
        }

    def _probe(self, x: float, y: float) -> tuple[float, float]:
        """A point of the page in hundredths of a point of the view, whatever its rotation and its crop box."""
        to_x, to_y = ctypes.c_int(), ctypes.c_int()
        size = (round(self.width * 100), round(self.height * 100))
        pdfium.FPDF_PageToDevice(self.page, 0, 0, *size, 0, x, y, to_x, to_y)
        return to_x.value, to_y.value

    def _seen(self, x: float, y: float) -> tuple[float, float]:
        return (
            self._zero[0] + x * self._right[0] + y * self._up[0],
            self._zero[1] + x * self._right[1] + y * self._up[1],
        )

    def _lines(self) -> tuple[list[list[Any]], bool]:
        """Lines as lists in the order of `facts.Line`, in the order in which they were set, and whether there were too many."""
        text = pdfium.FPDFText_LoadPage(self.page)
        if not text:
            return [], False
        try:
            count = pdfium.FPDFText_CountChars(text)
            lines = [_line(glyphs) for glyphs in _runs(self._glyphs(text, min(count, MOST_CHARACTERS)))]
        finally:
            pdfium.FPDFText_ClosePage(text)
        return lines[:MOST_LINES], count > MOST_CHARACTERS or len(lines) > MOST_LINES

    def _glyphs(self, text: Any, count: int) -> Iterator[Glyph | None]:
        """Characters as they come; None for a space between words."""
        box, before, style = pdfium.FS_RECTF(), None, Style(0, 0.0, upright=True)
        for index in range(count):
            code = pdfium.FPDFText_GetUnicode(text, index)
            if code in {10, 13}:
                continue
            if code in {9, 32, 160}:
                yield None
                continue
            piece = pdfium.FPDFText_GetTextObject(text, index)
            key = ctypes.cast(piece, ctypes.c_void_p).value
            if key != before:
                before, style = key, self._style(text, index, piece)
            if not pdfium.FPDFText_GetLooseCharBox(text, index, box):
                continue
            yield self._glyph(text, index, code, box, style)

    def _glyph(self, text: Any, index: int, code: int, box: Any, style: Style) -> Glyph:
        x, y = ctypes.c_double(), ctypes.c_double()
        pdfium.FPDFText_GetCharOrigin(text, index, x, y)
        corners = (self._seen(box.left, box.bottom), self._seen(box.right, box.top))
        xs, ys = zip(*corners, strict=True)
        baseline = self._seen(x.value, y.value)[1] if style.upright else max(ys)
        shown = (
            "-" if code == 2 else chr(code) if code < 0x110000 else "\ufffd"
        )  # PDFium's sign for a hyphen at a line's end
        return Glyph(
            shown,
            min(xs),
            max(xs),
            baseline,
            style.font,
            style.size if style.upright else max(ys) - min(ys),
            style.upright,
        )

    def _style(self, text: Any, index: int, piece: Any) -> Style:
        """How one piece of text is set."""
        matrix = pdfium.FS_MATRIX()
        pdfium.FPDFText_GetMatrix(text, index, matrix)
        size = pdfium.FPDFText_GetFontSize(text, index) * float(np.hypot(matrix.c, matrix.d)) * 100
        right = (
            matrix.a * self._right[0] + matrix.b * self._up[0],
            matrix.a * self._right[1] + matrix.b * self._up[1],
        )
        return Style(self._font(piece), size, right[0] > 0 and abs(right[1]) <= 0.1 * right[0])

    def _font(self, piece: Any) -> int:
        """The font's place in `fonts`; the last place stands for all that are too many."""
        font = pdfium.FPDFTextObj_GetFont(piece) if piece else None
        address = ctypes.cast(font, ctypes.c_void_p).value if font else 0
        if address not in self._found:
            name = ctypes.create_string_buffer(128)
            size = pdfium.FPDFFont_GetBaseFontName(font, name, len(name)) if font else 0
            shown = name.raw[: max(0, min(size, len(name)) - 1)].decode("utf-8", "replace")
            kind = (shown, bool(font) and pdfium.FPDFFont_GetIsEmbedded(font) == 1)
            if len(self.fonts) < MOST_FONTS:
                self.fonts.setdefault(kind, len(self.fonts))
            self._found[address or 0] = self.fonts.get(kind, len(self.fonts) - 1)
        return self._found[address or 0]

    def _pictures(self) -> Iterator[list[int]]:
        """Boxes of the pictures that stand on the page itself."""
        sides = [ctypes.c_float() for _ in range(4)]
        shown = 0
        for index in range(pdfium.FPDFPage_CountObjects(self.page)):
            piece = pdfium.FPDFPage_GetObject(self.page, index)
            if pdfium.FPDFPageObj_GetType(piece) != pdfium.FPDF_PAGEOBJ_IMAGE:
                continue
            if pdfium.FPDFPageObj_GetBounds(piece, *sides):
                left, bottom, right, top = (side.value for side in sides)
                xs, ys = zip(self._seen(left, bottom), self._seen(right, top), strict=True)
                yield [_whole(min(xs)), _whole(min(ys)), _whole(max(xs)), _whole(max(ys))]
                shown += 1
            if shown == MOST_PICTURES:
                return

    def _launches(self) -> int:
        """Links that would start a program."""
        at, link, found = ctypes.c_int(0), pdfium.FPDF_LINK(), 0
        for _ in range(MOST_LINKS):
            if not pdfium.FPDFLink_Enumerate(self.page, at, link):
                break
            action = pdfium.FPDFLink_GetAction(link)
            found += bool(action) and pdfium.FPDFAction_GetType(action) == pdfium.PDFACTION_LAUNCH
        return found


def _runs(glyphs: Iterator[Glyph | None]) -> Iterator[list[Glyph]]:
    """Characters that stand in one line, with a space where words part."""
    run: list[Glyph] = []
    space, end, base, size = False, 0.0, 0.0, 0.0
    for glyph in glyphs:
        if glyph is None:
            space = True
            continue
        if run and not _follows(run[-1], glyph, end, base, size):
            yield run
            run = []
        if not run:
            end, base, size = glyph.x0, glyph.baseline, 0.0
        elif space or glyph.x0 - end > 0.2 * glyph.size:
            run.append(glyph._replace(text=" ", x0=end, x1=max(end, glyph.x0)))
        if glyph.size > size:  # a line that begins with a raised mark stands on the baseline of what follows
            base, size = glyph.baseline, glyph.size
        run.append(glyph)
        end, space = max(end, glyph.x1), False
    if run:
        yield run


def _follows(last: Glyph, glyph: Glyph, end: float, base: float, size: float) -> bool:
    """Whether the character goes on with the line."""
    large, gap = max(size, glyph.size, 1.0), glyph.x0 - end
    if glyph.upright != last.upright:
        return False
    if gap > 0.5 * large and min(size, glyph.size) < 0.8 * large:
        return False  # the number of a line, in the margin beside it
    if not glyph.upright:
        return abs(glyph.x0 - last.x0) < large * GAP and abs(glyph.baseline - last.baseline) < large * 3 * GAP
    return abs(glyph.baseline - base) <= DRIFT * large and -BACK * large <= gap <= GAP * large


def _line(glyphs: list[Glyph]) -> list[Any]:
    """In the order of `facts.Line`. Font, size and baseline are those of most of its characters."""
    font, size, baseline = Counter((g.font, round(g.size), round(g.baseline)) for g in glyphs).most_common(1)[0][0]
    x0, x1 = min(g.x0 for g in glyphs), max(g.x1 for g in glyphs)
    upright = glyphs[0].upright
    y0 = baseline - 0.75 * size if upright else min(g.baseline - g.size for g in glyphs)
    y1 = baseline + 0.25 * size if upright else max(g.baseline for g in glyphs)
    text = "".join(g.text for g in glyphs)[:MOST_TEXT]
    return [text, *map(_whole, (x0, y0, x1, y1, baseline)), font, _whole(size), upright]


def _whole(value: float) -> int:
    """Hundredths of a point, within what any page can have."""
    return round(min(max(value, -2e6), 2e6)) if not math.isnan(value) else 0


def _meta(document: Any, name: str) -> str:
    room = ctypes.create_string_buffer(1024)
    size = pdfium.FPDF_GetMetaText(document, name.encode(), room, len(room))
    return room.raw[: max(0, min(size, len(room)) - 2)].decode("utf-16-le", "replace")[:300]
