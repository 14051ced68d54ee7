"""The rules of a paper's style: size, margins, columns, base font, abstract, recommended parts, what runs into the margins."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ..contract import Finding, FindingState, PartLength, Place
from .facts import Document
from .findings import (
    counted,
    embedded_fonts,
    finding,
    listed,
    merged,
    nothing_active,
    on_pages,
    page_count,
    page_size,
)
from .layout import Layout, Line, place
from .sections import Kind, Outline, Section
from .style import Area, PaperRules

INCH = 72.0
EDGE, HEIGHT, RUNS_OVER = (
    4.0,
    6.0,
    5.0,
)  # points: how far edges may be off, pages begin or end, and single lines stand out


def paper_findings(
    document: Document, outline: Outline, rules: PaperRules, least: int | None, most: int | None
) -> list[Finding]:
    """Every rule's finding. A paper without text is told so, and what cannot be measured of it is left out."""
    layout = outline.layout
    always = [
        page_size(layout.sheets, rules.page, rules.page_name),
        embedded_fonts(layout.sheets),
        nothing_active(document, layout.sheets),
    ]
    if not layout.has_text:
        return [no_text(), *always]
    return [
        *always,
        content_pages(outline, least, most),
        columns(layout),
        margins(layout, rules),
        overfull(layout, rules),
        base_font(layout, rules),
        base_size(layout, rules),
        leading(layout, rules),
        *abstract(outline, rules),
        parts(outline),
    ]


def no_text() -> Finding:
    """A scan, or pages that are pictures."""
    return finding(
        "text",
        "Text",
        fails=True,
        measured="the pages hold no text that can be read",
        expected="text",
        advice="Export the PDF from the document itself; pages that are pictures can be neither measured nor searched.",
    )


def content_pages(outline: Outline, least: int | None, most: int | None) -> Finding:
    """Pages up to the references, whatever comes after them."""
    pages = outline.content_pages
    after = [f"{name} from page {one.lines[0].page}" for name, one in _tail(outline)]
    told = f"{counted(pages, 'pages')}{f' ({listed(after)})' if after else ' (no references were found)'}"
    places = _places_of_the_end(outline, most)
    return page_count(pages, least, most, what="content pages", measured=told, places=places)


def _places_of_the_end(outline: Outline, most: int | None) -> list[Place]:
    """What stands on pages too many, or else where the content ends."""
    content = outline.content
    over = [line.place for line in content if most is not None and line.page > most]
    return over or [line.place for line in content[-1:]]


def _tail(outline: Outline) -> Iterator[tuple[str, Section]]:
    for name, kind in (("references", Kind.REFERENCES), ("appendix", Kind.APPENDIX)):
        if (section := outline.start_of(kind)) is not None:
            yield name, section


def columns(layout: Layout) -> Finding:
    """One column."""
    return finding(
        "columns",
        "Columns",
        fails=layout.columns != 1,
        measured=str(layout.columns),
        expected="1",
        advice="Use the style in one column (LaTeX: without the option twocolumn).",
        places=[one.place for one in layout.prose if one.page == 1],
    )


def margins(layout: Layout, rules: PaperRules) -> Finding:
    """The text area's place and size, by the edges that most lines keep to."""
    found, wanted = layout.area, rules.area
    return finding(
        "margins",
        "Margins and text area",
        fails=_is_off(found, wanted),
        measured=_area_words(found),
        expected=_area_words(wanted),
        advice="Use the style's file as it is, without geometry, fullpage or \\textwidth of your own.",
        places=_edges(layout, found),
    )


def _is_off(found: Area, wanted: Area) -> bool:
    sideways = max(abs(found.left - wanted.left), abs(found.right - wanted.right)) > EDGE
    return sideways or found.top < wanted.top - HEIGHT or found.bottom > wanted.bottom + HEIGHT


def _area_words(area: Area) -> str:
    left, width = area.left / INCH, area.width / INCH
    return f"left {left:.2f} in, width {width:.2f} in, from {area.top / INCH:.2f} to {area.bottom / INCH:.2f} in"


def _edges(layout: Layout, area: Area) -> list[Place]:
    """The measured text area on the first few pages."""
    return [place(sheet.number, area.left, area.top, area.right, area.bottom) for sheet in layout.sheets[:3]]


def overfull(layout: Layout, rules: PaperRules) -> Finding:
    """Lines and pictures that run into the margins. Where the whole text area is off, it is the measured one that they run out of."""
    found, wanted = layout.area, rules.area
    area = wanted
    if _is_off(found, wanted):
        area = Area(
            min(found.left, wanted.left),
            min(found.top, wanted.top),
            max(found.right, wanted.right),
            max(found.bottom, wanted.bottom),
        )
    over = [one.place for one in layout.text if _runs_over(one.place, area)]
    over += [picture for sheet in layout.sheets for picture in sheet.pictures if _runs_over(picture, area)]
    return finding(
        "overfull",
        "Text in the margins",
        fails=bool(over),
        measured=f"{counted(len(over), 'places')} {on_pages(one.page for one in over)}" if over else "nothing",
        expected="nothing",
        advice="Break the line, or make the figure or the table smaller, until it stays within the text area.",
        places=over,
    )


def _runs_over(box: Place, area: Area) -> bool:
    sideways = box.x < area.left - RUNS_OVER or box.x + box.width > area.right + RUNS_OVER
    return sideways or box.y < area.top - RUNS_OVER or box.y + box.height > area.bottom + RUNS_OVER


def base_font(layout: Layout, rules: PaperRules) -> Finding:
    """The font of most of the text."""
    name = layout.base_font.name
    return finding(
        "font",
        "Base font",
        fails=not rules.font.search(name),
        measured=name or "a font without a name",
        expected=rules.font_name,
        advice=f"Set the text in {rules.font_name} (LaTeX: the style loads it, so load no other font).",
        places=_prose_places(layout),
    )


def base_size(layout: Layout, rules: PaperRules) -> Finding:
    """The size of most of the text."""
    return finding(
        "font-size",
        "Base font size",
        fails=abs(layout.base_size - rules.size) > 0.25,
        measured=f"{layout.base_size:g} pt",
        expected=f"{rules.size:g} pt",
        advice=f"Set the text in {rules.size:g} pt; a smaller or larger size changes what fits on a page.",
        places=_prose_places(layout),
    )


def leading(layout: Layout, rules: PaperRules) -> Finding:
    """The distance of baselines."""
    return finding(
        "leading",
        "Leading",
        fails=bool(layout.leading) and abs(layout.leading - rules.leading) > 0.3,
        measured=f"{layout.leading:g} pt" if layout.leading else "no two lines of running text",
        expected=f"{rules.leading:g} pt",
        advice="Leave the distance of lines to the style (LaTeX: without setspace, \\linespread or \\baselinestretch).",
        places=_prose_places(layout),
    )


def _prose_places(layout: Layout) -> list[Place]:
    return [one.place for one in layout.prose[:8]]


def abstract(outline: Outline, rules: PaperRules) -> list[Finding]:
    """Whether there is one, and then its form."""
    section = outline.abstract
    there = finding(
        "abstract",
        "Abstract",
        fails=section is None,
        measured="none" if section is None else f"on page {section.lines[0].page}",
        expected="one, headed Abstract",
        advice="Begin the paper with an abstract of a quarter of a page under the heading Abstract.",
        places=[one.place for one in outline.layout.text[:1]],
    )
    return [there] if section is None else [there, _abstract_form(outline, section, rules)]


def _abstract_form(outline: Outline, section: Section, rules: PaperRules) -> Finding:
    """One paragraph, indented on both sides, under a bold heading in the middle."""
    block = abstract_lines(outline, section)
    wrong = [*_heading_faults(outline.layout, section.lines[0], rules), *_block_faults(outline.layout, block, rules)]
    return finding(
        "abstract-form",
        "Abstract's form",
        fails=bool(wrong),
        measured=listed(wrong) if wrong else "as the style has it",
        expected=(
            f"one paragraph, indented {rules.abstract_indent / INCH:g} in on both sides, "
            f"its heading bold, {rules.abstract_heading:g} pt and centred"
        ),
        advice="Use the style's own abstract (LaTeX: the environment abstract) and write it in one paragraph.",
        places=[one.place for one in (section.lines[0], *block)],
    )


def abstract_lines(outline: Outline, section: Section) -> list[Line]:
    """The abstract's text: up to the next heading, or to a wide gap where none follows."""
    lines = outline.layout.text
    start = lines.index(section.lines[-1]) + 1
    following = outline.sections[outline.sections.index(section) + 1 :]
    end = lines.index(following[0].lines[0]) if following else len(lines)
    block = lines[start:end]
    for index, (one, after) in enumerate(pairwise(block), start=1):
        if after.page != one.page or after.baseline - one.baseline > 3 * outline.layout.base_size:
            return block[:index]
    return block


def _heading_faults(layout: Layout, line: Line, rules: PaperRules) -> Iterator[str]:
    middle = (layout.area.left + layout.area.right) / 2
    if abs(line.middle - middle) > 6:
        yield "the heading is not centred"
    if not line.font.is_bold:
        yield "the heading is not bold"
    if abs(line.size - rules.abstract_heading) > 0.5:
        yield f"the heading is {line.size:.1f} pt"


def _block_faults(layout: Layout, block: list[Line], rules: PaperRules) -> Iterator[str]:
    if not block:
        yield "nothing stands under the heading"
        return
    lefts, rights = sorted(line.x0 for line in block), sorted(line.x1 for line in block)
    left, right = lefts[len(lefts) // 2] - layout.area.left, layout.area.right - rights[-1 - len(rights) // 10]
    if max(abs(left - rules.abstract_indent), abs(right - rules.abstract_indent)) > HEIGHT:
        yield f"indented {left / INCH:.2f} in on the left and {right / INCH:.2f} in on the right"
    step = layout.leading or rules.leading
    breaks = sum(
        after.baseline - one.baseline > 1.3 * step or after.x0 > lefts[len(lefts) // 2] + HEIGHT
        for one, after in pairwise(block)
    )
    if breaks:
        yield f"{breaks + 1} paragraphs"


def parts(outline: Outline) -> Finding:
    """Recommended parts that no heading names. The abstract has a rule of its own."""
    rows: list[PartLength] = [row for row in outline.parts() if row.part != "Abstract"]
    missing = [row.part for row in rows if row.pages is None]
    if not missing:
        return Finding("parts", "Recommended parts", FindingState.PASSED, "all found", "all")
    return Finding(
        "parts",
        "Recommended parts",
        FindingState.HINT,
        f"no section is headed like: {'; '.join(missing)}",
        "all",
        "The course recommends these parts. If one of the marked sections is such a part, say so in its heading.",
        merged(one.lines[0].place for one in outline.sections),
    )
