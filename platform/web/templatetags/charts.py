"""Server-rendered SVG with attributes only: meters, the measured bar, a histogram, a sparkline.

Horizontal places are percentages, so that a chart stretches while its text keeps its size. Each chart says in words what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from grader.contract import Measurement
from web.templatetags.ui import points

register = template.Library()

Number = float | Decimal | Fraction
GAP = 6.0  # between segments, in thousandths of the width
ROOM = 0.16  # beside the outermost mark of a measured bar, as a share of the span


@register.filter
def check_id(name: str) -> str:
    """The id of a check's row, from its pytest name."""
    return "check-" + "".join(letter if letter.isalnum() else "-" for letter in name)


@register.simple_tag
def task_meter(tasks: Sequence[object]) -> SafeString:
    """One segment a task, as wide as its points, filled as far as its score (objects with id, score, max_score)."""
    parts = [(str(_get(task, "id")), _get(task, "score"), _get(task, "max_score")) for task in tasks]
    whole = sum(float(most) for _, _, most in parts) or 1.0
    usable, start, segments = 1000 - GAP * max(len(parts) - 1, 0), 0.0, []
    for _, score, most in parts:
        width = usable * float(most) / whole
        segments.append((start, width, width * _share(score, most)))
        start += width + GAP
    label = ", ".join(f"task {name}: {points(score)} of {points(most)}" for name, score, most in parts)
    return _meter(segments, label)


@register.simple_tag
def meter(value: Number | None, most: Number | None, label: str = "") -> SafeString:
    """One bar for `value` of `most`."""
    share = _share(value or 0, most or 0)
    return _meter([(0, 1000, 1000 * share)], label or f"{points(value)} of {points(most)}")


def _meter(segments: Iterable[tuple[float, float, float]], label: str) -> SafeString:
    bars = format_html_join(
        "",
        '<rect class="meter-track" x="{}" width="{}" height="8"/><rect class="meter-fill" x="{}" width="{}" height="8"/>',
        ((f"{x:.1f}", f"{width:.1f}", f"{x:.1f}", f"{fill:.1f}") for x, width, fill in segments),
    )
    return format_html(
        '<svg class="meter" viewBox="0 0 1000 8" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        label,
        bars,
    )


def _get(task: object, name: str) -> Number:
    found: Number = getattr(task, name)
    return found


def _share(value: Number, most: Number) -> float:
    return min(max(float(value) / float(most), 0.0), 1.0) if most else 0.0


@register.inclusion_tag("components/measured_bar.html")
def measured_bar(measured: Measurement) -> dict[str, object]:
    """The measured value and its spread over the curve that turned it into points; the axis is logarithmic as the curve is."""
    place = _Axis((measured.value, measured.low, measured.high, measured.full_at, measured.zero_at))
    full, zero, value = place(measured.full_at), place(measured.zero_at), place(measured.value)
    low, high = sorted((place(measured.low), place(measured.high)))
    falls = full < zero
    return {
        "measured": measured,
        "value": f"{value:.2f}",
        "value_anchor": "start" if value < 12 else "end" if value > 88 else "middle",
        "low": f"{low:.2f}",
        "spread": f"{max(high - low, 0.4):.2f}",
        "full": f"{full:.2f}",
        "zero": f"{zero:.2f}",
        "full_x": "0" if falls else f"{full:.2f}",
        "full_width": f"{full if falls else 100 - full:.2f}",
        "curve_x": f"{min(full, zero):.2f}",
        "curve_width": f"{abs(zero - full):.2f}",
        "curve_points": "0,0 100,100 0,100" if falls else "0,100 100,0 100,100",
        "full_anchor": "end" if falls else "start",
        "zero_anchor": "end" if falls else "start",
        "value_text": significant(measured.value),
        "falls": falls,
    }


class _Axis:
    """Places values between 0 and 100; logarithmic when all of them are positive."""

    def __init__(self, values: Iterable[float]) -> None:
        marks = list(values)
        self._is_log = min(marks) > 0
        low, high = self._scale(min(marks)), self._scale(max(marks))
        room = (high - low) * ROOM or 1.0
        self._low, self._span = low - room, high - low + 2 * room

    def __call__(self, value: float) -> float:
        return 100 * (self._scale(value) - self._low) / self._span

    def _scale(self, value: float) -> float:
        return math.log(value) if self._is_log else value


@register.filter
def significant(value: float) -> str:
    """Three significant digits without an exponent for everyday sizes: 2.1, 0.043, 1,250."""
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.2e}"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@register.inclusion_tag("components/histogram.html")
def histogram(
    values: Iterable[Number], most: Number, own: Number | None = None, *, bins: int = 0, name: str = "", title: str = ""
) -> dict[str, object]:
    """How many scores lie in each of equal ranges up to `most`; the bin of `own` is outlined. A table says the same.

    Without `bins` there are as many as make round ranges. With `name`, which is unique on the page, the chart is told by `title`.
    """
    bins = bins or even_bins(most)
    counts = [0] * bins
    for value in values:
        counts[_bin(value, most, bins)] += 1
    tallest, own_bin = max(counts) or 1, _bin(own, most, bins) if own is not None else -1
    step = _exact(most) / bins
    return {
        "total": sum(counts),
        "most": points(float(most)),
        "name": name,
        "title": title,
        "bars": [
            {
                "count": count,
                "x": f"{100 * at / bins + 0.5:.2f}",
                "middle": f"{100 * (at + 0.5) / bins:.2f}",
                "width": f"{100 / bins - 1:.2f}",
                "y": f"{72 - 60 * count / tallest:.1f}",
                "label_y": f"{68 - 60 * count / tallest:.1f}",
                "height": f"{60 * count / tallest:.1f}",
                "from": points(float(step * at)),
                "to": points(float(step * (at + 1))),
                "is_own": at == own_bin,
            }
            for at, count in enumerate(counts)
        ],
    }


def even_bins(most: Number) -> int:
    """How many equal ranges up to `most` begin at round numbers: of 5 to 15, the roundest, and of these the nearest to 10.

    12 points make 12 ranges of one point, 50 make 10 of five, and 13 make 13.
    """
    whole = _exact(most)
    return min(range(5, 16), key=lambda bins: (_digits(whole / bins), abs(bins - 10), -bins)) if whole > 0 else 10


def _digits(step: Fraction) -> int:
    """How many decimals a number has; 9 for one that needs more than three."""
    return next((digits for digits in range(4) if (step * 10**digits).denominator == 1), 9)


def _bin(value: Number, most: Number, bins: int) -> int:
    """By exact arithmetic: a score on the border of two ranges is in the upper one, and more than all in the last."""
    whole = _exact(most)
    share = min(max(_exact(value) / whole, Fraction(0)), Fraction(1)) if whole else Fraction(0)
    return min(int(share * bins), bins - 1)


def _exact(value: Number) -> Fraction:
    """A float is the number that it prints as: 5.8 is meant, not what binary makes of it."""
    return value if isinstance(value, Fraction) else Fraction(str(value))


@register.inclusion_tag("components/letter_bars.html")
def letter_bars(rows: Sequence[object], *, relative: bool) -> dict[str, object]:
    """Letters by both columns and as they count (objects with letter, absolute, relative, final); a table says the same."""
    kinds = ("absolute", "relative", "final") if relative else ("absolute", "final")
    counts = [[int(getattr(row, kind)) for kind in kinds] for row in rows]
    tallest, wide = max((count for row in counts for count in row), default=0) or 1, 100 / (len(rows) or 1)
    width = wide * 0.8 / len(kinds)
    return {
        "rows": rows,
        "relative": relative,
        "kinds": kinds,
        "groups": [
            {
                "letter": getattr(row, "letter", ""),
                "middle": f"{wide * (at + 0.5):.2f}",
                "bars": [
                    {
                        "kind": kind,
                        "count": count,
                        "x": f"{wide * (at + 0.1) + width * place + 0.1:.2f}",
                        "middle": f"{wide * (at + 0.1) + width * (place + 0.5):.2f}",
                        "width": f"{width - 0.2:.2f}",
                        "y": f"{112 - 96 * count / tallest:.1f}",
                        "label_y": f"{108 - 96 * count / tallest:.1f}",
                        "height": f"{96 * count / tallest:.1f}",
                    }
                    for place, (kind, count) in enumerate(zip(kinds, counts[at], strict=True))
                ],
            }
            for at, row in enumerate(rows)
        ],
    }


@register.simple_tag
def sparkline(values: Sequence[Number], most: Number, label: str) -> SafeString:
    """Scores over attempts as a small line; `label` says it in words."""
    step = 100 / max(len(values) - 1, 1)
    spots = [(at * step, 20 - 18 * _share(value, most)) for at, value in enumerate(values)]
    lines = format_html_join(
        "",
        '<line x1="{}%" y1="{}" x2="{}%" y2="{}"/>',
        ((f"{a:.1f}", f"{b:.1f}", f"{c:.1f}", f"{d:.1f}") for (a, b), (c, d) in pairwise(spots)),
    )
    dots = format_html_join("", '<circle cx="{}%" cy="{}" r="2"/>', ((f"{x:.1f}", f"{y:.1f}") for x, y in spots))
    return format_html('<svg class="spark" height="22" role="img" aria-label="{}">{}{}</svg>', label, lines, dots)
