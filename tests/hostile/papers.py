"""Hostile PDFs, written by hand: what readers of PDFs have been attacked with, small, of our own making.

Each case says what the authors are told: a refusal like its pattern, or a report in which exactly these rules found something. A case
whose PDF a reader may or may not save from damage names both.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from reportlab.lib.pdfencrypt import StandardEncryption

from tests.papers import paper, plain

PAGE = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<<{resources}>>{more}>>"
FONT = "/Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Times-Roman>>>>"


@dataclass(frozen=True)
class HostilePdf:
    """One of them. `told`: a pattern of the refusal; `rules`: what the report finds (None: no report may come)."""

    name: str
    make: Callable[[], bytes]
    told: str = ""
    rules: frozenset[str] | None = None


def pdf(*objects: str | bytes, trailer: str = "/Root 1 0 R") -> bytes:
    """A PDF of these objects, numbered from 1."""
    out, offsets = io.BytesIO(b""), []
    out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    for number, body in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n" % number + (body if isinstance(body, bytes) else body.encode()) + b"\nendobj\n")
    start = out.tell()
    count = len(objects) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n" % count
    table += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out.write(table)
    out.write(f"trailer\n<</Size {count}{trailer}>>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def stream(data: bytes, more: str = "") -> bytes:
    """A stream as it stands."""
    return f"<</Length {len(data)}{more}>>stream\n".encode() + data + b"\nendstream"


def packed(data: bytes, times: int = 1, more: str = "") -> bytes:
    """A stream deflated so often."""
    for _ in range(times):
        data = zlib.compress(data, 9)
    return stream(data, f"/Filter[{'/FlateDecode' * times}]{more}")


def zeros(size: int) -> bytes:
    """So many spaces, deflated, without ever holding them."""
    packer, block = zlib.compressobj(9), b" " * (1 << 20)
    return b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.flush()


def one_page(content: bytes, *others: str | bytes, resources: str = FONT, more: str = "", catalog: str = "") -> bytes:
    """A PDF of one page with this content stream; other objects are numbered from 5."""
    return pdf(
        f"<</Type/Catalog/Pages 2 0 R{catalog}>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        PAGE.format(resources=resources, more=more),
        content,
        *others,
    )


HELLO = stream(b"BT /F1 12 Tf 100 700 Td (Hello) Tj ET")


def _encrypted(user: str) -> bytes:
    locked = StandardEncryption(user, "owner", canPrint=0, strength=128)
    return plain(lambda canvas: (canvas.drawString(100, 700, "secret"), canvas.showPage()), encrypt=locked)


def _bomb(levels: int) -> bytes:
    inner = zeros(1 << 30)
    for _ in range(levels - 1):
        inner = zlib.compress(inner, 9)
    return one_page(stream(inner, f"/Filter[{'/FlateDecode' * levels}]"))


def _many_pages(count: int) -> bytes:
    kids = " ".join(f"{number} 0 R" for number in range(3, 3 + count))
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]>>"
    return pdf("<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Kids[{kids}]/Count {count}>>", *[page] * count)


def _many_fonts(count: int) -> bytes:
    names = "".join(f"/F{n}<</Type/Font/Subtype/Type1/BaseFont/Font{n}>>" for n in range(count))
    pages = 30
    per_page = [
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {4 + 2 * n} 0 R/Resources {3 + 2 * pages} 0 R>>"
        for n in range(pages)
    ]
    each = count // pages
    contents = [
        stream(
            (
                "BT 10 700 Td " + "".join(f"/F{n} 8 Tf (a) Tj " for n in range(at * each, (at + 1) * each)) + "ET"
            ).encode()
        )
        for at in range(pages)
    ]
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(pages))
    objects = [part for pair in zip(per_page, contents, strict=True) for part in pair]
    return pdf(
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {pages}>>",
        *objects,
        f"<</Font<<{names}>>>>",
    )


def _picture(width: int, height: int, data: bytes, more: str) -> bytes:
    image = stream(data, f"/Type/XObject/Subtype/Image/Width {width}/Height {height}{more}")
    return one_page(stream(b"q 500 0 0 500 50 50 cm /Im Do Q"), image, resources="/XObject<</Im 5 0 R>>")


def _jpx(width: int, height: int) -> bytes:
    """The head of a JPEG 2000 image that claims this size."""
    size = (
        struct.pack("!HHHIIIIIIIIH", 0xFF51, 47, 0, width, height, 0, 0, width, height, 0, 0, 3) + b"\x07\x01\x01" * 3
    )
    return b"\xff\x4f" + size + b"\xff\xd9"


def _attached() -> bytes:
    return one_page(
        HELLO,
        stream(b"MZ", "/Type/EmbeddedFile"),
        "<</Type/Filespec/F(run.exe)/UF(run.exe)/EF<</F 5 0 R>>>>",
        catalog="/Names<</EmbeddedFiles<</Names[(run.exe)6 0 R]>>>>",
    )


def _launching() -> bytes:
    link = "<</Type/Annot/Subtype/Link/Rect[0 0 600 700]/A<</S/Launch/F(/bin/sh)>>>>"
    return one_page(HELLO, more=f"/Annots[{link}]", catalog="/OpenAction<</S/Launch/F(calc.exe)>>")


def _scripted() -> bytes:
    script = "<</S/JavaScript/JS(while(true){app.alert('x');})>>"
    return one_page(HELLO, catalog=f"/OpenAction{script}/Names<</JavaScript<</Names[(a){script}]>>>>/AA<</WC{script}>>")


def _type3_in_itself() -> bytes:
    glyph = stream(b"1000 0 d0 BT /T3 10 Tf (aaaaaaaaaaaaaaaa) Tj ET")
    font = (
        "<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix[1 0 0 1 0 0]/FirstChar 97/LastChar 97/Widths[9]"
        "/Encoding<</Differences[97/a]>>/CharProcs<</a 6 0 R>>/Resources<</Font<</T3 5 0 R>>>>>>"
    )
    return one_page(stream(b"BT /T3 10 Tf (aaaa) Tj ET"), font, glyph, resources="/Font<</T3 5 0 R>>")


def _form_in_itself() -> bytes:
    form = stream(
        b"/X Do /X Do /X Do", "/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Resources<</XObject<</X 5 0 R>>>>"
    )
    return one_page(stream(b"/X Do"), form, resources="/XObject<</X 5 0 R>>")


def _forms_that_double(levels: int) -> bytes:
    """Each form draws the next one ten times."""
    forms = [
        stream(
            b"/X Do " * 10,
            f"/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Resources<</XObject<</X {6 + level} 0 R>>>>",
        )
        for level in range(levels)
    ]
    last = stream(b"0 0 9 9 re f", "/Type/XObject/Subtype/Form/BBox[0 0 612 792]")
    return one_page(stream(b"/X Do"), *forms, last, resources="/XObject<</X 5 0 R>>")


def _tiles() -> bytes:
    tile = stream(
        b"0 0 1 1 re f",
        "/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep 0.0001/YStep 0.0001/Resources<<>>",
    )
    content = stream(b"/Pattern cs /P scn 0 0 612 792 re f")
    return one_page(content, tile, resources="/Pattern<</P 5 0 R>>")


def _odd_text() -> bytes:
    mapped = stream(
        b"/CIDInit/ProcSet findresource begin 1 begincmap 1 begincodespacerange <00><ff> endcodespacerange 3 beginbfchar "
        b"<61><0000> <62><D800> <63><202E> endbfchar endcmap end"
    )
    font = "<</Type/Font/Subtype/Type1/BaseFont/\\000Bad#00<script>/ToUnicode 6 0 R>>"
    title = "/Info<</Title<FEFF00000041D800202E>/Author(\\000<img src=x onerror=alert\\(1\\)>)>>"
    return pdf(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        PAGE.format(resources="/Font<</F1 5 0 R>>", more=""),
        stream(b"BT /F1 12 Tf 100 700 Td (abcabcabc) Tj ET"),
        font,
        mapped,
        trailer=f"/Root 1 0 R{title}",
    )


def _deep(levels: int) -> bytes:
    return one_page(HELLO, more=f"/Deep {'[' * levels}{']' * levels}")


def _deep_pages(levels: int) -> bytes:
    nodes = [f"<</Type/Pages/Parent {n + 1} 0 R/Kids[{n + 3} 0 R]/Count 1>>" for n in range(levels)]
    return pdf("<</Type/Catalog/Pages 2 0 R>>", *nodes, "<</Type/Page/MediaBox[0 0 612 792]>>")


def _box(box: str) -> bytes:
    return pdf(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R/Resources<<{FONT}>>>>",
        HELLO,
    )


def _xref_stream_bomb() -> bytes:
    entries = zeros(1 << 28)
    return pdf(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[]/Count 0>>",
        stream(entries, "/Type/XRef/Size 100000000/W[1 4 2]/Root 1 0 R/Filter/FlateDecode"),
    ).replace(b"startxref", b"startxref 9999999\nstartxref")


def _object_streams_in_a_ring() -> bytes:
    return pdf(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        stream(b"4 0 <</Type/Page>>", "/Type/ObjStm/N 1/First 4/Extends 4 0 R"),
        stream(b"3 0 <</Type/Page>>", "/Type/ObjStm/N 1/First 4/Extends 3 0 R"),
    )


def _ring() -> bytes:
    whole = one_page(HELLO)
    start = whole.rindex(b"xref\n0 ")
    return whole.replace(b"/Root 1 0 R", b"/Root 1 0 R/Prev %d" % start)


def _billion() -> bytes:
    whole = one_page(HELLO)
    return whole.replace(b"xref\n0 5\n", b"xref\n0 1000000000\n").replace(b"/Size 5", b"/Size 1000000000")


FREE = frozenset[str]()
NOT_IN_FILE = frozenset({"embedded-fonts"})
DAMAGED, NO_PAGES = "is damaged|is no PDF|broke the program", "has no pages"
TOO_MUCH = "takes too long|takes more than|broke the program"
CASES = (
    HostilePdf("nothing", lambda: b"", DAMAGED),
    HostilePdf("no PDF", lambda: b"\x7fELF" + bytes(5000), DAMAGED),
    HostilePdf("a zip", lambda: b"PK\x03\x04" + bytes(500), DAMAGED),
    HostilePdf("a header alone", lambda: b"%PDF-1.7\n", DAMAGED),
    HostilePdf("half of a PDF", lambda: paper()[: len(paper()) // 2], f"{DAMAGED}|{NO_PAGES}|A page", FREE),
    HostilePdf("zero pages", partial(pdf, "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]/Count 0>>"), NO_PAGES),
    HostilePdf("a password", partial(_encrypted, "secret"), "protected by a password"),
    HostilePdf("an owner's password", partial(_encrypted, ""), rules=NOT_IN_FILE),
    HostilePdf("three thousand pages", partial(_many_pages, 3000), "3,000 pages"),
    HostilePdf(
        "pages that are not there",
        partial(pdf, "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]/Count 2147483647>>"),
        f"{NO_PAGES}|pages, and at most|{DAMAGED}|A page",
    ),
    HostilePdf(
        "pages in a ring",
        partial(pdf, "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[2 0 R 2 0 R]/Count 4>>"),
        f"{NO_PAGES}|{DAMAGED}|A page",
        FREE,
    ),
    HostilePdf("a deep tree of pages", partial(_deep_pages, 20_000), f"{NO_PAGES}|{DAMAGED}|A page", FREE),
    HostilePdf("five thousand fonts", partial(_many_fonts, 5000), "more than 400 fonts or 15,000 lines"),
    HostilePdf("a bomb", partial(_bomb, 1), TOO_MUCH, FREE),
    HostilePdf("a bomb in a bomb", partial(_bomb, 2), TOO_MUCH, FREE),
    HostilePdf("deeply nested objects", partial(_deep, 500_000), f"{DAMAGED}|{NO_PAGES}|A page", NOT_IN_FILE),
    HostilePdf("a table of a billion objects", _billion, f"{DAMAGED}|{NO_PAGES}", NOT_IN_FILE),
    HostilePdf("a table that follows itself", _ring, f"{DAMAGED}|{NO_PAGES}", NOT_IN_FILE),
    HostilePdf("a bomb in the table", _xref_stream_bomb, f"{TOO_MUCH}|{DAMAGED}|{NO_PAGES}"),
    HostilePdf("object streams in a ring", _object_streams_in_a_ring, f"{DAMAGED}|{NO_PAGES}|A page", FREE),
    HostilePdf("a script", _scripted, rules=NOT_IN_FILE | {"active"}),
    HostilePdf("a program to start", _launching, rules=NOT_IN_FILE | {"active"}),
    HostilePdf("an attached program", _attached, rules=NOT_IN_FILE | {"active"}),
    HostilePdf("a glyph in itself", _type3_in_itself, rules=FREE),
    HostilePdf("a form in itself", _form_in_itself, TOO_MUCH, FREE),
    HostilePdf("forms that multiply", partial(_forms_that_double, 9), TOO_MUCH, FREE),
    HostilePdf("endless tiles", _tiles, TOO_MUCH, FREE),
    HostilePdf(
        "a picture of 4 gigapixels",
        lambda: _picture(65_535, 65_535, zeros(1 << 24), "/BitsPerComponent 8/ColorSpace/DeviceRGB/Filter/FlateDecode"),
        TOO_MUCH,
        FREE,
    ),
    HostilePdf(
        "a picture that claims too much",
        lambda: _picture(2**31 - 1, 2**31 - 1, _jpx(2**31 - 1, 2**31 - 1), "/Filter/JPXDecode"),
        TOO_MUCH,
        FREE,
    ),
    HostilePdf(
        "ten million words",
        lambda: one_page(packed(b"BT /F1 1 Tf " + b"1 0 Td (abc) Tj " * 1_500_000 + b"ET")),
        TOO_MUCH,
        NOT_IN_FILE,
    ),
    HostilePdf("odd text", _odd_text, rules=NOT_IN_FILE),
    HostilePdf("a page of a billion points", partial(_box, "0 0 1e9 1e9"), DAMAGED, NOT_IN_FILE),
    HostilePdf("a page of nothing", partial(_box, "0 0 0 0"), DAMAGED, NOT_IN_FILE),
    HostilePdf("a page turned inside out", partial(_box, "612 792 0 0"), DAMAGED, NOT_IN_FILE),
    HostilePdf("a page that is no number", partial(_box, "nan (x) null -1e99"), DAMAGED, NOT_IN_FILE),
)
