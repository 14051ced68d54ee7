"""What papers are held against: the numbers of a style, in points, and the parts that are recommended, in pages."""

from __future__ import annotations

import re
from dataclasses import dataclass

INCH = 72.0


@dataclass(frozen=True)
class Area:
    """A rectangle, from the page's top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left


@dataclass(frozen=True)
class Part:
    """A recommended part of a paper: its length in pages, and how headings name it."""

    name: str
    pages: float
    words: re.Pattern[str]


@dataclass(frozen=True)
class PaperRules:
    """A style for papers."""

    page: tuple[float, float]
    page_name: str
    area: Area
    font: re.Pattern[str]
    font_name: str
    size: float
    leading: float
    abstract_indent: float
    abstract_heading: float
    parts: tuple[Part, ...]

    def part_of(self, heading: str) -> str:
        """The part that a heading names, by the word of it that comes first; empty where it names none."""
        found = [(match.start(), part.name) for part in self.parts if (match := part.words.search(heading))]
        return min(found)[1] if found else ""


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})", re.IGNORECASE)


PARTS = (
    Part("Abstract", 0.25, _words("abstract$")),
    Part("Introduction", 0.5, _words("introduction")),
    Part("Related work", 0.25, _words("related|prior work|literature")),
    Part("Preliminaries and background", 0.25, _words("preliminar|background")),
    Part("Analysis and characterization of the problem", 1.0, _words("analy[sz]|characteri[sz]|motivation|problem")),
    Part("Design and implementation", 1.0, _words("design|implement|method|approach|architecture|system|algorithm")),
    Part("Evaluation method and results", 1.0, _words("evaluat|experiment|results?")),
    Part("Concluding remarks", 0.25, _words("conclu|summary|discussion|future work")),
)

NEURIPS_2020 = PaperRules(
    page=(8.5 * INCH, 11 * INCH),
    page_name="8.5 × 11 in (US letter)",
    area=Area(1.5 * INCH, 1 * INCH, 7 * INCH, 10 * INCH),
    font=re.compile(
        r"times|nimbus ?rom|termes|tinos|liberation ?serif|free ?serif|newtx|txr|ptmr|stix|xits", re.IGNORECASE
    ),
    font_name="Times",
    size=10.0,
    leading=11.0,
    abstract_indent=0.5 * INCH,
    abstract_heading=12.0,
    parts=PARTS,
)

REFERENCES = re.compile(r"(?:references?|bibliography|(?:works|literature) cited)(?: and notes)?", re.IGNORECASE)
THANKS = re.compile(r"acknowledge?ments?(?: .{0,40})?|broader impacts?(?: .{0,20})?", re.IGNORECASE)
APPENDIX = re.compile(r"(?:appendi(?:x|ces)|supplement(?:ary|al)?)\b.*", re.IGNORECASE)
