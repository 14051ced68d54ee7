"""A plain PDF of a few lines, letter by letter: what the demo's teams hand in. The seed needs no library for that."""

from __future__ import annotations

from collections.abc import Sequence

LEFT, TOP, LEADING = 108, 720, 11  # points on US letter


def pdf_of(title: str, lines: Sequence[str]) -> bytes:
    """One page in Times: the title in 17 points, the lines in 10. Letters beyond Latin-1 become question marks."""
    text = [f"BT /F1 17 Tf {LEFT} {TOP} Td ({_escaped(title)}) Tj ET"]
    text += [
        f"BT /F1 10 Tf {LEFT} {TOP - 3 * LEADING - place * LEADING} Td ({_escaped(line)}) Tj ET"
        for place, line in enumerate(lines)
    ]
    content = "\n".join(text).encode("latin-1", errors="replace")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding >>",
    )
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    """The objects, numbered from 1, with the table that says where each begins."""
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table) + trailer


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
