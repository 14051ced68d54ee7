"""Line charts as SVG with attributes only: axes with few ticks, a line a row of points, each named where it ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from grader.contract import Chart, ChartLine
from mlsys_core.papers.study import Cell, Figure, Line, Study
from readings.studies.selectors import study_of

register = template.Library()

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 14, 50
TICKS = 6


@dataclass(frozen=True)
class Axis:
    """Places values between two ends of the drawing; by powers of ten where it is logarithmic."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool

    def at(self, value: float) -> float:
        """Where a value lies."""
        low, high, value = (self._scale(x) for x in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (value - low) / ((high - low) or 1.0)

    def ticks(self) -> list[float]:
        """Round numbers between the ends."""
        return _powers(self.low, self.high) if self.is_log else _steps(self.low, self.high)

    def _scale(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


def _steps(low: float, high: float) -> list[float]:
    span = (high - low) or 1.0
    unit = 10 ** math.floor(math.log10(span / TICKS))
    step = next(unit * k for k in (1, 2, 5, 10) if span / (unit * k) <= TICKS)
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _powers(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first < 1:  # less than two powers of ten
        return _doublings(low, high) if math.log2(low).is_integer() else _round_between(low, high)
    step = max(1, math.ceil((last - first) / TICKS))
    return [10.0**k for k in range(first, last + 1, step)]


def _doublings(low: float, high: float) -> list[float]:
    return [low * 2**k for k in range(math.floor(math.log2(high / low) + 1e-9) + 1)]


def _round_between(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [k * 10.0**power for power in powers for k in (1, 2, 5) if low <= k * 10.0**power <= high]


@register.filter
def study(arxiv_id: str) -> Study | None:
    """`{{ paper.arxiv_id|study }}`: the study of a paper, if it has one."""
    return study_of(arxiv_id)


@register.filter
def short(value: float) -> str:
    """A number as an axis or a table shows it: 1,500; 0.47; 1.2 M."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


@register.filter
def computed(cell: Cell) -> str:
    """What the formula gives, with as many digits as were published."""
    return f"{cell.computed:,.{cell.digits}f}"


@register.filter
def published(cell: Cell) -> str:
    """What was published."""
    return f"{cell.published:,.12g}"


@register.filter
def difference(cell: Cell) -> str:
    """How far they are apart, in percent with its sign."""
    percent = 100 * cell.difference
    return "0 %" if abs(percent) < 0.05 else f"{percent:+.1f} %".replace("-", "−")


@register.simple_tag
def line_chart(figure: Figure | Chart) -> SafeString:
    """The figure; its sentence is its name for who does not see it."""
    you = figure.you if isinstance(figure, Chart) else None
    lines: Sequence[Line | ChartLine] = figure.lines
    places = [point for line in lines for point in line.points] + ([you] if you else [])
    xs, ys = zip(*places, strict=True)
    across = Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, figure.log_x)
    up = Axis(min(ys) if figure.log_y else min(0.0, *ys), max(ys) or 1.0, HEIGHT - BOTTOM, TOP, figure.log_y)
    drawn = format_html_join(
        "",
        '<polyline class="line line-{}" points="{}"/>',
        (
            (number, " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in line.points))
            for number, line in enumerate(lines)
        ),
    )
    return format_html(
        '<svg class="line-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}{}</svg>',
        WIDTH,
        HEIGHT,
        f"{figure.title}. {figure.says}",
        _across(across, across.ticks(), figure.x),
        _up(up, up.ticks(), figure.y),
        drawn,
        _you(across.at(you[0]), up.at(you[1])) if you else "",
    )


def _you(x: float, y: float) -> SafeString:
    """Where this run lies, with its name on the side that has room."""
    left = x > WIDTH / 2
    return format_html(
        '<circle class="line-you" cx="{0}" cy="{1}" r="6"/>'
        '<text class="line-you-name" x="{2}" y="{1}" dy="-10" text-anchor="{3}">you</text>',
        f"{x:.1f}",
        f"{y:.1f}",
        f"{x - 8 if left else x + 8:.1f}",
        "end" if left else "start",
    )


def _across(axis: Axis, ticks: Sequence[float], name: str) -> SafeString:
    marks = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((f"{axis.at(tick):.1f}", HEIGHT - BOTTOM + 20, short(tick)) for tick in ticks),
    )
    title = format_html(
        '<text class="axis-name" x="{}" y="{}" text-anchor="middle">{}</text>',
        (LEFT + WIDTH - RIGHT) / 2,
        HEIGHT - 6,
        name,
    )
    return format_html("{}{}", marks, title)


def _up(axis: Axis, ticks: Sequence[float], name: str) -> SafeString:
    rows = ((f"{axis.at(tick):.1f}", tick) for tick in ticks)
    marks = format_html_join(
        "",
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end" dy="4">{}</text>',
        ((LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y, short(tick)) for y, tick in rows),
    )
    title = format_html(
        '<text class="axis-name axis-up" transform="translate(12 {}) rotate(-90)" text-anchor="middle">{}</text>',
        (TOP + HEIGHT - BOTTOM) / 2,
        name,
    )
    return format_html("{}{}", marks, title)
