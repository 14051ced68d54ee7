"""Where a paper's sections begin and end: headings of the first level, the abstract, references, appendix, and what is content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

from ..contract import PartLength, SectionLength
from .layout import Layout, Line
from .style import APPENDIX, REFERENCES, THANKS, PaperRules

NUMBERED = re.compile(r"(?P<number>\d{1,2}|[IVX]{1,5})[.:]?\s+(?P<words>\S.*)")
LETTERED = re.compile(r"(?:appendix\s+)?(?P<number>[A-Z])[.:]?\s+(?P<words>\S.*)", re.IGNORECASE)
SECOND_LEVEL = re.compile(r"(?:\d{1,2}|[A-Z])\.\d")
MOST_WORDS, MOST_SECTIONS = 12, 150


class Kind(Enum):
    """What a section is for the count of pages."""

    CONTENT = auto()
    THANKS = auto()
    REFERENCES = auto()
    APPENDIX = auto()


@dataclass(frozen=True)
class Section:
    """A heading of the first level, with its lines, and what it begins."""

    lines: tuple[Line, ...]
    words: str
    kind: Kind

    @property
    def heading(self) -> str:
        """As it is printed, with its number."""
        return " ".join(line.text for line in self.lines)


class Outline:
    """The sections of a paper in their order."""

    def __init__(self, layout: Layout, rules: PaperRules) -> None:
        self.layout, self._rules = layout, rules

    @cached_property
    def sections(self) -> list[Section]:
        """By their headings, from the abstract on; no paper has more than the first so many."""
        found: list[Section] = []
        lines, index = self.layout.text, 0
        while index < len(lines) and len(found) < MOST_SECTIONS:
            section = self._section(lines, index, found)
            index += len(section.lines) if section else 1
            found += [section] if section else []
        return found

    @property
    def abstract(self) -> Section | None:
        """The section that is headed so."""
        return next((one for one in self.sections if one.words.lower() == "abstract"), None)

    @cached_property
    def content_end(self) -> Section | None:
        """The first section that is no content any more: references, an appendix, or thanks right before them."""
        tail = next((i for i, one in enumerate(self.sections) if one.kind in {Kind.REFERENCES, Kind.APPENDIX}), None)
        if tail is None:
            last = self.sections[-1:]
            return last[0] if last and last[0].kind is Kind.THANKS else None
        while tail and self.sections[tail - 1].kind is Kind.THANKS:
            tail -= 1
        return self.sections[tail]

    def start_of(self, kind: Kind) -> Section | None:
        """The first section of a kind."""
        return next((one for one in self.sections if one.kind is kind), None)

    @cached_property
    def content_pages(self) -> int:
        """The page on which the content's last line stands."""
        return max((line.page for line in self.content), default=len(self.layout.sheets))

    @cached_property
    def content(self) -> list[Line]:
        """Every line before the content's end."""
        lines = self.layout.text
        return lines if self.content_end is None else lines[: lines.index(self.content_end.lines[0])]

    def lengths(self) -> tuple[SectionLength, ...]:
        """Each section's length in pages, up to the next one."""
        if not self.sections:
            return ()
        starts = [self.layout.flow(one.lines[0]) for one in self.sections]
        ends = [*starts[1:], self._end(self.layout.text[-1])]
        return tuple(
            SectionLength(one.heading[:120], self._part_name(one), one.lines[0].page, round(max(end - start, 0.0), 2))
            for one, start, end in zip(self.sections, starts, ends, strict=True)
        )

    def parts(self) -> tuple[PartLength, ...]:
        """What is recommended beside what is there."""
        lengths = self.lengths()
        rows = []
        for part in self._rules.parts:
            found = [length.pages for length in lengths if length.part == part.name]
            rows.append(PartLength(part.name, part.pages, round(sum(found), 2) if found else None))
        return tuple(rows)

    def _end(self, line: Line) -> float:
        area = self.layout.area
        return self.layout.flow(line) + line.size * 1.1 / max(area.bottom - area.top, 1.0)

    def _part_name(self, section: Section) -> str:
        return self._rules.part_of(section.words) if section.kind is Kind.CONTENT else ""

    def _section(self, lines: list[Line], index: int, before: list[Section]) -> Section | None:
        """The section that the line begins, if it is a heading of the first level."""
        line = lines[index]
        known = _known(line.text)
        if (
            not self._may_head(line)
            or SECOND_LEVEL.match(line.text)
            or not (known or before or NUMBERED.fullmatch(line.text))
        ):
            return None  # before the abstract or the first number there are the title and the authors
        behind = any(one.kind in {Kind.REFERENCES, Kind.APPENDIX} for one in before)
        lettered = LETTERED.fullmatch(line.text) if behind or _is_appendix(line.text) else None
        numbered = NUMBERED.fullmatch(line.text)
        if not (known or lettered or self._is_large(line) or (numbered and self._is_next(numbered["number"], before))):
            return None
        heading = (line, *self._continued(lines, index))
        words = " ".join(one.text for one in heading)
        match = lettered or numbered
        words = words[match.start("words") :] if match else words
        return Section(heading, words, Kind.APPENDIX if lettered else known or Kind.CONTENT)

    def _may_head(self, line: Line) -> bool:
        """A short bold or large line at the left edge of a column, or in the middle."""
        area, base = self.layout.area, self.layout.base_size
        middle = (area.left + area.right) / 2
        placed = abs(line.x0 - area.left) < 4 or abs(line.middle - middle) < 6
        if self.layout.columns == 2:
            quarter = area.width / 4
            placed = placed or 0 < line.x0 - middle < 18 or abs(abs(line.middle - middle) - quarter) < 9
        shown = line.font.is_bold or line.size >= base * 1.12
        short = len(line.text.split()) <= MOST_WORDS and any(letter.isalpha() for letter in line.text)
        return line.upright and placed and shown and short and line.size >= base - 0.5

    def _is_large(self, line: Line) -> bool:
        return line.size >= self.layout.base_size * 1.12

    def _is_next(self, number: str, before: list[Section]) -> bool:
        """Whether a number goes on where the last numbered heading stopped."""
        numbers = [match["number"] for one in before if (match := NUMBERED.fullmatch(one.heading))]
        if not number.isdigit():
            return True
        return int(number) == (int(numbers[-1]) if numbers and numbers[-1].isdigit() else 0) + 1

    def _continued(self, lines: list[Line], index: int) -> list[Line]:
        """The lines that go on with a heading which is too long for one."""
        taken, last = [], lines[index]
        for line in lines[index + 1 : index + 3]:
            near = line.page == last.page and 0 < line.baseline - last.baseline < 1.6 * last.size
            if line.font != last.font or abs(line.size - last.size) > 0.2 or not near or _begins(line.text):
                break
            taken.append(line)
            last = line
        return taken


def _begins(text: str) -> bool:
    return bool(_known(text) or NUMBERED.fullmatch(text) or SECOND_LEVEL.match(text))


def _known(text: str) -> Kind | None:
    """What a heading is by its words alone, with or without a number."""
    match = NUMBERED.fullmatch(text)
    words = (match["words"] if match else text).strip(" .:")
    if REFERENCES.fullmatch(words):
        return Kind.REFERENCES
    if THANKS.fullmatch(words):
        return Kind.THANKS
    if APPENDIX.fullmatch(words):
        return Kind.APPENDIX
    return Kind.CONTENT if words.lower() in {"abstract", "introduction", "conclusion", "conclusions"} else None


def _is_appendix(text: str) -> bool:
    return bool(APPENDIX.fullmatch(text))
