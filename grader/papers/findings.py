"""From measurements to findings: one small pure function a rule. Each says what was measured, what is expected, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..contract import Finding, FindingState, PageSize, Place
from .facts import Document
from .layout import Sheet, place

MOST_PLACES = 24
POINTS, NEXT_LINE = 1.0, 8.0


def finding(
    rule: str,
    title: str,
    *,
    fails: bool,
    measured: str,
    expected: str = "",
    advice: str = "",
    places: Iterable[Place] = (),
) -> Finding:
    """A rule's finding; advice and places belong to those that fail."""
    if not fails:
        return Finding(rule, title, FindingState.PASSED, measured, expected)
    return Finding(rule, title, FindingState.FAILED, measured, expected, advice, merged(places))


def hint(rule: str, title: str, *, found: str, clear: str, advice: str, places: Sequence[Place] = ()) -> Finding:
    """A hint where `found` says something, else that it is `clear`."""
    if not found:
        return Finding(rule, title, FindingState.PASSED, clear)
    return Finding(rule, title, FindingState.HINT, found, "", advice, merged(places))


def merged(places: Iterable[Place]) -> tuple[Place, ...]:
    """The first so many places, lines that follow each other drawn together into one."""
    blocks: list[Place] = []
    for one in places:
        if blocks and _follows(blocks[-1], one):
            blocks[-1] = _around(blocks[-1], one)
        elif len(blocks) < MOST_PLACES:
            blocks.append(one)
        else:
            break
    return tuple(blocks)


def _follows(block: Place, line: Place) -> bool:
    below = line.y - block.y >= 0 and line.y - (block.y + block.height) < NEXT_LINE
    beside = min(block.x + block.width, line.x + line.width) > max(block.x, line.x)
    return block.page == line.page and below and beside


def _around(one: Place, other: Place) -> Place:
    right, bottom = max(one.x + one.width, other.x + other.width), max(one.y + one.height, other.y + other.height)
    return place(one.page, min(one.x, other.x), min(one.y, other.y), right, bottom)


def one_size(sheets: Sequence[Sheet]) -> Finding:
    """Pages of slides, or of a paper without a style, have one size."""
    first = sheets[0]
    others = [sheet for sheet in sheets if not _is_size(sheet, (first.width, first.height))]
    return finding(
        "page-size",
        "Page size",
        fails=bool(others),
        measured=f"{inches(first)}{f'; not so {pages_of(others)}' if others else ''}",
        expected="one size",
        advice="Give all pages the same size, so that a projector or a printer does not jump between them.",
        places=map(whole_page, others),
    )


def page_size(sheets: Sequence[Sheet], size: tuple[float, float], name: str) -> Finding:
    """Pages of a paper have the style's size."""
    wrong = [sheet for sheet in sheets if not _is_size(sheet, size)]
    return finding(
        "page-size",
        "Page size",
        fails=bool(wrong),
        measured=f"{inches(wrong[0])} {pages_of(wrong)}" if wrong else inches(sheets[0]),
        expected=name,
        advice=f"Set the paper to {name} where the document is made (LaTeX: the option letterpaper) and build it again.",
        places=map(whole_page, wrong),
    )


def page_count(
    pages: int,
    least: int | None,
    most: int | None,
    *,
    what: str = "pages",
    measured: str = "",
    places: Iterable[Place] = (),
) -> Finding:
    """As many pages as are asked for."""
    low, high = least is not None and pages < least, most is not None and pages > most
    advice = f"Cut it to {most} {what}." if high else f"Write at least {least} {what}, or ask whether fewer are enough."
    return finding(
        "pages",
        what[0].upper() + what[1:],
        fails=low or high,
        measured=measured or counted(pages, what),
        expected=_asked(least, most),
        advice=advice,
        places=places,
    )


def embedded_fonts(sheets: Sequence[Sheet]) -> Finding:
    """Every font that text is set in lies in the file: elsewhere other letters would stand in for it."""
    missing: dict[str, Place] = {}
    used: set[str] = set()
    for sheet in sheets:
        for line in sheet.lines:
            used.add(line.font.name)
            if not line.font.embedded:
                missing.setdefault(line.font.name or "a font without a name", line.place)
    return finding(
        "embedded-fonts",
        "Embedded fonts",
        fails=bool(missing),
        measured=f"not in the file: {listed(sorted(missing))}" if missing else counted(len(used), "fonts"),
        expected="all in the file",
        advice="Export the PDF with its fonts embedded; without them a reader's machine puts others in their place.",
        places=missing.values(),
    )


def nothing_active(document: Document, sheets: Sequence[Sheet]) -> Finding:
    """A document to read holds nothing that would run."""
    starting = sum(sheet.launches for sheet in sheets)
    parts = (
        (document.scripts, "scripts"),
        (starting, "links that start a program"),
        (document.attachments, "attached files"),
    )
    held = [counted(number, words) for number, words in parts if number]
    return finding(
        "active",
        "Scripts and attachments",
        fails=bool(held),
        measured=listed(held) if held else "nothing",
        expected="nothing",
        advice="None of it was run or opened here. Export the PDF again without it; a reader's program may warn of the file.",
        places=[whole_page(sheet) for sheet in sheets if sheet.launches] or [whole_page(sheets[0])],
    )


def whole_page(sheet: Sheet) -> Place:
    """All of a page."""
    return place(sheet.number, 2, 2, sheet.width - 2, sheet.height - 2)


def sizes(sheets: Sequence[Sheet]) -> tuple[PageSize, ...]:
    """As the report tells them."""
    return tuple(PageSize(sheet.number, round(sheet.width, 1), round(sheet.height, 1)) for sheet in sheets)


def inches(sheet: Sheet) -> str:
    """A page's size in words."""
    width, height = round(sheet.width / 72, 2), round(sheet.height / 72, 2)
    short, long = sorted((width, height))
    name = {(8.5, 11.0): "US letter", (8.27, 11.69): "A4"}.get((short, long), "")
    turned = "landscape" if name and width > height else ""
    named = ", ".join(part for part in (name, turned) if part)
    return f"{width:g} × {height:g} in{f' ({named})' if named else ''}"


def pages_of(sheets: Iterable[Sheet]) -> str:
    """`on page 3`, `on pages 1–4, 7`."""
    return on_pages({sheet.number for sheet in sheets})


def on_pages(numbers: Iterable[int]) -> str:
    """The same for numbers, runs drawn together."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    alone = len(runs) == 1 and len(runs[0]) == 1
    return f"on page{'' if alone else 's'} {', '.join(words)}"


def counted(number: int, plural: str) -> str:
    """`1 page`, `2 pages`; the words begin with the plural."""
    first, _, rest = plural.partition(" ")
    noun = first.removesuffix("s") if number == 1 else first
    return f"{number} {noun}{f' {rest}' if rest else ''}"


def listed(items: Sequence[str], most: int = 5) -> str:
    """The first few, and how many more there are."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")


def _asked(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f"{least}–{most}" if least != most else str(least)
    return f"at most {most}" if most is not None else f"at least {least}" if least is not None else "any number"


def _is_size(sheet: Sheet, size: tuple[float, float]) -> bool:
    return abs(sheet.width - size[0]) <= POINTS and abs(sheet.height - size[1]) <= POINTS
