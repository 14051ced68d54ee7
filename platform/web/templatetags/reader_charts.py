"""Charts of agreement: a value with its interval on an axis, and a reader's weeks. SVG with attributes only; each says itself in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from reviews.agreement.figures import Drift
from reviews.agreement.stats import Agreement, Effect, Interval

register = template.Library()
DIGITS = 2


@register.filter
def signed(value: float | None) -> str:
    """A number with its sign and two decimals: +0.50, −1.25, 0.00; a dash when there is none."""
    if value is None:
        return "–"
    text = decimals(value)
    return f"+{text}" if value > 0 and text != decimals(0.0) else text


@register.filter
def decimals(value: float | None) -> str:
    """A number with two decimals; a dash when there is none."""
    return "–" if value is None else f"{value:z.{DIGITS}f}".replace("-", "−")


@register.filter
def percent(value: float | None) -> str:
    """A share as a whole percentage; a dash when there is none."""
    return "–" if value is None else f"{100 * value:.0f} %"


@register.filter
def interval(found: Interval | None) -> str:
    """`0.41 to 0.78`, or a dash."""
    return f"{decimals(found.low)} to {decimals(found.high)}" if found else "–"


@register.filter
def signed_interval(found: Interval | None) -> str:
    """The same with signs."""
    return f"{signed(found.low)} to {signed(found.high)}" if found else "–"


@register.filter
def is_points(value: object, points: Decimal) -> bool:
    """Whether what came in a form is this number of points; what is no number is none."""
    try:
        return Decimal(str(value)) == points
    except InvalidOperation:
        return False


@register.simple_tag
def effect_chart(effect: Effect, reach: float, label: str) -> SafeString:
    """A difference in points on an axis from -`reach` to `reach`, with its interval and the zero line."""
    if effect.value is None:
        return SafeString("")
    told = f"{label}: {signed(effect.value)} points"
    told += f", likely {signed_interval(effect.interval)}" if effect.interval else ""
    return _chart(effect.value, effect.interval, (-reach, reach), told)


@register.simple_tag
def kappa_chart(agreement: Agreement, label: str) -> SafeString:
    """Kappa on an axis from 0 to 1, with its interval; what lies below 0 is drawn at 0."""
    if agreement.kappa is None:
        return SafeString("")
    told = f"{label}: kappa {decimals(agreement.kappa)}"
    told += f", likely {interval(agreement.interval)}" if agreement.interval else ""
    return _chart(agreement.kappa, agreement.interval, (0.0, 1.0), told)


@register.simple_tag
def drift_chart(weeks: Sequence[Drift], reach: float, label: str) -> SafeString:
    """A reader's mean difference, a dot a week, around the zero line."""
    told = "; ".join(f"week of {week.begins_on:%-d %b}: {signed(week.difference)}" for week in weeks)
    step = 100 / (len(weeks) + 1)
    spots = [(step * at, 16 - 13 * max(-1.0, min(week.difference / reach, 1.0))) for at, week in enumerate(weeks, 1)]
    lines = format_html_join(
        "",
        '<line x1="{}%" y1="{}" x2="{}%" y2="{}"/>',
        ((f"{a:.1f}", f"{b:.1f}", f"{c:.1f}", f"{d:.1f}") for (a, b), (c, d) in pairwise(spots)),
    )
    dots = format_html_join("", '<circle cx="{}%" cy="{}" r="2.5"/>', ((f"{x:.1f}", f"{y:.1f}") for x, y in spots))
    return format_html(
        '<svg class="reader-drift" height="32" role="img" aria-label="{}">'
        '<line class="reader-zero" x1="0" x2="100%" y1="16" y2="16"/>{}{}</svg>',
        f"{label}: {told}",
        lines,
        dots,
    )


def _chart(value: float, spread: Interval | None, axis: tuple[float, float], told: str) -> SafeString:
    low, high = axis

    def place(number: float) -> float:
        return 100 * (min(max(number, low), high) - low) / (high - low)

    start, end = (place(spread.low), place(spread.high)) if spread else (place(value), place(value))
    return format_html(
        '<svg class="reader-chart" height="16" role="img" aria-label="{}">'
        '<rect class="reader-track" width="100%" y="6" height="4"/>'
        '<rect class="reader-spread" x="{}%" width="{}%" y="6" height="4"/>'
        '<line class="reader-zero" x1="{}%" x2="{}%" y1="1" y2="15"/>'
        '<circle class="reader-value" cx="{}%" cy="8" r="4"/></svg>',
        told,
        f"{start:.2f}",
        f"{end - start:.2f}",
        f"{place(0):.2f}",
        f"{place(0):.2f}",
        f"{place(value):.2f}",
    )
