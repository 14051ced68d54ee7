"""A paper's text as it stands on its pages, and what can be measured of it: base font, leading, text area, columns. Points throughout."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from ..contract import Place
from . import facts
from .style import Area

PAGE_NUMBER = re.compile(
    r"(?:page\s*)?[-–—]?\s*(?:\d{1,4}|[ivxl]{1,6})\s*[-–—]?(?:\s*(?:of|/)\s*\d{1,4})?", re.IGNORECASE
)
BOLD = re.compile(r"bold|black|heavy|medi|demi|[-,]b(?:d|i)?$|bx(?:ti|sl)?\d", re.IGNORECASE)
SUBSET = re.compile(r"^[A-Z]{6}\+")
ENOUGH, PROSE = 200, 20  # characters: of a text that can be measured, of a line that counts as running text
SAME = 2.0


@dataclass(frozen=True)
class Font:
    """A font without its subset's prefix."""

    name: str
    embedded: bool

    @property
    def is_bold(self) -> bool:
        """By its name, as fonts of papers tell it."""
        return bool(BOLD.search(self.name))


@dataclass(frozen=True)
class Line:
    """Text on one baseline without a wide gap."""

    page: int
    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    baseline: float
    font: Font
    size: float
    upright: bool

    @property
    def middle(self) -> float:
        """Halfway between its ends."""
        return (self.x0 + self.x1) / 2

    @property
    def place(self) -> Place:
        """To mark it on the page's picture."""
        return place(self.page, self.x0, self.y0, self.x1, self.y1)


@dataclass(frozen=True)
class Sheet:
    """One page."""

    number: int
    width: float
    height: float
    lines: tuple[Line, ...]
    pictures: tuple[Place, ...]
    launches: int
    cut: bool


def place(page: int, x0: float, y0: float, x1: float, y1: float) -> Place:
    """A rectangle by its corners, to a tenth of a point."""
    return Place(page, round(x0, 1), round(y0, 1), round(max(x1 - x0, 1.0), 1), round(max(y1 - y0, 1.0), 1))


def sheet(number: int, page: facts.Page) -> Sheet:
    """A page's facts in points, with fonts and lines joined."""
    fonts = [Font(SUBSET.sub("", font.name), font.embedded) for font in page.fonts]
    unknown = Font("", embedded=False)
    lines = tuple(
        Line(
            number,
            unicodedata.normalize("NFKC", line.text).strip(),
            line.x0 / 100,
            line.y0 / 100,
            line.x1 / 100,
            line.y1 / 100,
            line.baseline / 100,
            fonts[line.font] if line.font < len(fonts) else unknown,
            line.size / 100,
            line.upright,
        )
        for line in page.lines
    )
    pictures = tuple(place(number, *(value / 100 for value in box)) for box in page.pictures)
    return Sheet(number, page.width / 100, page.height / 100, lines, pictures, page.launches, page.cut)


class Layout:
    """All pages of a paper, measured. `expected` is the style's text area: where nothing can be measured, it stands in."""

    def __init__(self, sheets: Sequence[Sheet], expected: Area) -> None:
        self.sheets, self.expected = tuple(sheets), expected

    @cached_property
    def all_lines(self) -> list[Line]:
        """Every line that says something, in the order in which it was set."""
        return [line for one in self.sheets for line in one.lines if line.text]

    @property
    def has_text(self) -> bool:
        """Whether there is enough to be measured; scans have none."""
        return sum(len(line.text) for line in self.all_lines) >= ENOUGH

    @cached_property
    def _base(self) -> tuple[Font, float]:
        counted: Counter[tuple[Font, float]] = Counter()
        for line in self.all_lines:
            counted[line.font, round(line.size, 1)] += len(line.text) if line.upright else 0
        return counted.most_common(1)[0][0] if counted else (Font("", embedded=True), 0.0)

    @property
    def base_font(self) -> Font:
        """The font of most of the text."""
        return self._base[0]

    @property
    def base_size(self) -> float:
        """The size of most of the text, to 0.1 pt."""
        return self._base[1]

    @cached_property
    def prose(self) -> list[Line]:
        """Lines of running text in the base size, without what stands around the text."""
        around = self.furniture
        return [line for line in self.all_lines if self._is_prose(line) and line not in around]

    def _is_prose(self, line: Line) -> bool:
        return line.upright and abs(line.size - self.base_size) < 0.3 and len(line.text) >= PROSE

    @cached_property
    def text(self) -> list[Line]:
        """All lines but page numbers, running heads and the numbers of lines."""
        around = self.furniture
        return [line for line in self.all_lines if line not in around]

    @cached_property
    def furniture(self) -> frozenset[Line]:
        """Page numbers, running heads and feet, numbers of lines."""
        return frozenset({*self._line_numbers(), *self._page_numbers(), *self._running()})

    def _page_numbers(self) -> Iterable[Line]:
        """The first or the last line of a page, where it is a number and nothing else."""
        for one in self.sheets:
            ordered = sorted((line for line in one.lines if line.text), key=lambda line: line.baseline)
            for line in (*ordered[:1], *ordered[-1:]):
                if PAGE_NUMBER.fullmatch(line.text):
                    yield line

    def _running(self) -> Iterable[Line]:
        """What stands at one height on most pages, above or below all running text, the same but for its numbers."""
        seen: defaultdict[tuple[str, int], list[Line]] = defaultdict(list)
        for one in self.sheets:
            body = [line.baseline for line in one.lines if self._is_prose(line)]
            first, last = min(body, default=0.0) + SAME, max(body, default=0.0) - SAME
            for line in one.lines:
                if line.upright and not first < line.baseline < last:
                    seen[re.sub(r"\d+", "#", line.text), round(line.baseline / SAME)].append(line)
        least = max(2, len(self.sheets) // 2)
        for lines in seen.values():
            if len({line.page for line in lines}) >= least:
                yield from lines

    def _line_numbers(self) -> Iterable[Line]:
        """Numbers in the left margin, five on a page or more."""
        for one in self.sheets:
            edge = min((line.x0 for line in one.lines if self._is_prose(line)), default=0.0)
            numbers = [line for line in one.lines if re.fullmatch(r"\d{1,4}", line.text) and line.x1 <= edge + 1]
            yield from numbers if len(numbers) >= 5 else ()

    @cached_property
    def area(self) -> Area:
        """The text area: edges that nine lines in ten keep to, and the heights that pages keep to."""
        if len(self.prose) < 5:
            return self.expected
        lefts, rights = sorted(line.x0 for line in self.prose), sorted(line.x1 for line in self.prose)
        tenth = len(self.prose) // 10
        return Area(lefts[tenth], self._top(), rights[-1 - tenth], self._bottom())

    def _top(self) -> float:
        """Where pages begin; the first one begins with its title, and does not count beside others."""
        tops = [min(line.y0 for line in lines) for number, lines in self._by_page.items() if number > 1]
        return _median(tops) if tops else self.expected.top

    def _bottom(self) -> float:
        """Where full pages end: the last one may be short, so the lower half of the ends counts."""
        ends = sorted(max(line.y1 for line in lines) for lines in self._by_page.values())
        return _median(ends[len(ends) // 2 :]) if ends else self.expected.bottom

    @cached_property
    def _by_page(self) -> dict[int, list[Line]]:
        pages: defaultdict[int, list[Line]] = defaultdict(list)
        for line in self.prose:
            pages[line.page].append(line)
        return dict(pages)

    @cached_property
    def leading(self) -> float:
        """The distance of baselines that most lines of running text keep; 0 where there are none."""
        steps = Counter(round(step, 1) for step in self._steps())
        return steps.most_common(1)[0][0] if steps else 0.0

    def _steps(self) -> Iterable[float]:
        for one, following in pairwise(self.prose):
            step = following.baseline - one.baseline
            beside = min(one.x1, following.x1) > max(one.x0, following.x0)
            if one.page == following.page and beside and 0.8 * self.base_size < step < 2 * self.base_size:
                yield step

    @cached_property
    def columns(self) -> int:
        """1 or 2: whether most lines of running text cross the middle of the text area."""
        middle = (self.area.left + self.area.right) / 2
        # the last line of a paragraph may end anywhere, so lines that are as wide as most are asked
        wide = _median([line.x1 - line.x0 for line in self.prose]) if self.prose else 0.0
        full = [line for line in self.prose if line.x1 - line.x0 > 0.9 * wide]
        crossing = sum(line.x0 < middle - 9 and line.x1 > middle + 9 for line in full)
        return 2 if len(full) >= 10 and crossing < 0.5 * len(full) else 1

    def flow(self, line: Line) -> float:
        """How many pages of text stand before a line: whole pages, and the share of its own."""
        area = self.area
        share = (line.y0 - area.top) / max(area.bottom - area.top, 1.0)
        share = min(max(share, 0.0), 1.0)
        column = int(self.columns == 2 and line.x0 > (area.left + area.right) / 2 - 9)
        return line.page - 1 + (column + share) / self.columns


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
