"""Hints that tell who wrote a paper: names under the title, mail addresses, thanks, "our previous work", the PDF's own data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from ..contract import Finding
from .facts import Document
from .findings import hint, listed, on_pages
from .layout import Layout, Line
from .sections import Kind, Outline

MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,60}@[\w-]{1,60}(?:\.[\w-]{1,60}){1,5}|\{[^{}@]{1,120}\}\s?@\s?[\w.-]{3,80}")
OWN_WORK = re.compile(
    r"\b(?:our|my) (?:own )?(?:previous|prior|earlier|past|recent) (?:work|paper|project|report|study|system)s?\b"
    r"|\b(?:we|i) (?:have )?(?:previously|earlier) (?:show|propos|present|publish|introduc|develop|describ)",
    re.IGNORECASE,
)
NOBODY = re.compile(r"anonym|author\(s\)|affiliation|^address$|^e?-?mail$", re.IGNORECASE)
ADVICE = "Leave it out where the course wants work without names; else it is as it should be."


def anonymity_hints(document: Document, outline: Outline) -> list[Finding]:
    """All of them; people decide whether names are wanted."""
    layout = outline.layout
    return [authors(outline), mails(layout), own_work(layout), thanks(outline), pdf_author(document, layout)]


def authors(outline: Outline) -> Finding:
    """What stands between the title and the abstract, unless it says that it is nobody."""
    block = [line for line in author_block(outline) if not MAIL.search(line.text)]
    named = [] if any(NOBODY.search(line.text) for line in block) else block
    return hint(
        "authors",
        "Names under the title",
        found=f"“{listed([line.text[:60] for line in named], 2)}” on page 1" if named else "",
        clear="none",
        advice=ADVICE,
        places=[line.place for line in named],
    )


def author_block(outline: Outline) -> list[Line]:
    """Lines of page 1 between the title, which is its largest text, and the first heading."""
    first = outline.sections[0].lines[0] if outline.sections else None
    lines = outline.layout.text
    head = [line for line in (lines[: lines.index(first)] if first else []) if line.page == 1 and line.upright]
    if not head:
        return []
    largest = max(line.size for line in head)
    title = max(index for index, line in enumerate(head) if line.size > largest - 0.5)
    return [line for line in head[title + 1 :] if sum(letter.isalpha() for letter in line.text) >= 4]


def mails(layout: Layout) -> Finding:
    """Mail addresses, wherever they stand."""
    found = [line for line in layout.text if MAIL.search(line.text)]
    return hint(
        "mails",
        "Mail addresses",
        found=f"{listed([_first(MAIL, line.text) for line in found], 3)} {_where(found)}" if found else "",
        clear="none",
        advice=ADVICE,
        places=[line.place for line in found],
    )


def own_work(layout: Layout) -> Finding:
    """Sentences that call earlier work the authors' own, also where a line breaks in them."""
    found = list(_sentences(layout, OWN_WORK))
    return hint(
        "own-work",
        "Earlier work called one's own",
        found=f"“{listed([words for words, _ in found], 3)}” {_where([line for _, line in found])}" if found else "",
        clear="none",
        advice="Cite your own work as anybody's, where the course wants work without names.",
        places=[line.place for _, line in found],
    )


def _sentences(layout: Layout, pattern: re.Pattern[str]) -> Iterator[tuple[str, Line]]:
    """What matches in each line with the one that follows it, told once, at the line where it begins."""
    for line, after in pairwise([*layout.text, None]):
        assert line is not None
        match = pattern.search(_joined(line, after))
        if match and match.start() < len(line.text):
            yield match.group(), line


def _joined(line: Line, after: Line | None) -> str:
    if after is None or after.page > line.page + 1:
        return line.text
    hyphen = line.text.endswith(("-", "\u00ad"))
    return line.text[:-1] + after.text if hyphen else f"{line.text} {after.text}"


def thanks(outline: Outline) -> Finding:
    """Acknowledgements, which name people who know the authors."""
    found = [one.lines[0] for one in outline.sections if one.kind is Kind.THANKS and "ckno" in one.words.lower()]
    return hint(
        "thanks",
        "Acknowledgements",
        found=f"a section {_where(found)}" if found else "",
        clear="none",
        advice=ADVICE,
        places=[line.place for line in found],
    )


def pdf_author(document: Document, layout: Layout) -> Finding:
    """The author that the file itself names; it stands nowhere on a page, so the title is marked."""
    name = document.meta.get("Author", "").strip()
    shown = "" if not name or NOBODY.search(name) else name[:80]
    return hint(
        "pdf-author",
        "Author in the file's properties",
        found=f"“{shown}”" if shown else "",
        clear="none",
        advice=f"{ADVICE} (LaTeX: pdfauthor of hyperref.)",
        places=[line.place for line in layout.text[:1]],
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match.group() if match else ""


def _where(lines: list[Line]) -> str:
    return on_pages(line.page for line in lines)
