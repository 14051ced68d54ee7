"""What a page of a paper shows: the published table beside what its formula gives, and a figure with knobs.

Idea      A table that can be computed again is understood; a knob shows which of its numbers follow from which.
Equation  difference = computed / published - 1
Paper     Each study names its own.
Cost      Microseconds: a study is arithmetic on a few numbers, with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """A number that was published, and what the formula gives; `digits` after the point are shown of the computed one."""

    published: float
    computed: float
    digits: int = 1

    @property
    def difference(self) -> float:
        """computed / published - 1."""
        return self.computed / self.published - 1 if self.published else self.computed


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A published table, or the part of one that can be computed. `heads` name the columns of cells with their units."""

    caption: str
    first: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def worst(self) -> float:
        """The largest relative difference of a cell."""
        return max(abs(cell.difference) for row in self.rows for cell in row.cells)


@dataclass(frozen=True)
class Knob:
    """A number that a reader may set, from `low` to `high`, both included."""

    name: str
    label: str
    default: float
    low: float
    high: float
    whole: bool = True

    def value(self, text: str | None) -> float:
        """The number that a reader typed, or the default; raises ValueError with a sentence for one that cannot be."""
        if text is None or not text.strip():
            return self.default
        try:
            value = float(text)
        except ValueError:
            raise ValueError(
                f"{self.label}: {text!r} is no number. Give one from {self.low:g} to {self.high:g}."
            ) from None
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.label}: {text} is outside of {self.low:g} to {self.high:g}.")
        if self.whole and value != int(value):
            raise ValueError(f"{self.label}: {text} must be a whole number.")
        return value


@dataclass(frozen=True)
class Line:
    """A curve or a row of points, x rising."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Figure:
    """What the formula gives over a range, for the knobs as they are set. `says` is the figure in a sentence."""

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    says: str
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Study:
    """One paper: its table, and its figure as a function of knobs. `idea` and `formulas` say what is computed; a paper that is not
    at arXiv has a `url`."""

    slug: str
    title: str
    venue: str
    arxiv: str
    idea: str
    formulas: tuple[str, ...]
    tables: tuple[Table, ...]
    knobs: tuple[Knob, ...]
    figure: Callable[[Mapping[str, float]], Figure]
    url: str = ""

    @property
    def link(self) -> str:
        """Where the paper can be read."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else self.url

    def settings(self, given: Mapping[str, str]) -> tuple[dict[str, float], list[str]]:
        """Knobs as a reader set them; with a sentence for each that cannot be, which then keeps its default."""
        found, wrong = {}, []
        for knob in self.knobs:
            try:
                found[knob.name] = knob.value(given.get(knob.name))
            except ValueError as error:
                found[knob.name] = knob.default
                wrong.append(str(error))
        return found, wrong
