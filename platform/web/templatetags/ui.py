"""Small pieces of every page: icons, state chips, numbers and moments. All of it is text or inline SVG, so a strict CSP holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil

import lucide
from django import template
from django.template.defaultfilters import date as format_date
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from config import clock
from grading.progress import ProgressSnapshot

register = template.Library()

# kind → (icon, class); the word always comes with the icon
CHIP_ICONS = {
    "pass": "check",
    "fail": "x",
    "warn": "triangle-alert",
    "run": "loader-circle",
    "muted": "circle-dashed",
}


@dataclass(frozen=True)
class CheckMark:
    """How a check's state looks: the chip's kind, its icon and its word."""

    kind: str
    icon: str
    label: str


CHECK_MARKS = {
    "passed": CheckMark("pass", "check", "Passed"),
    "partly": CheckMark("warn", "contrast", "Partly"),
    "failed": CheckMark("fail", "x", "Failed"),
    "error": CheckMark("fail", "bug", "Error"),
    "time limit": CheckMark("fail", "timer-off", "Too slow"),
    "memory limit": CheckMark("fail", "memory-stick", "Memory"),
    "output limit": CheckMark("fail", "scroll-text", "Output"),
    "process limit": CheckMark("fail", "layers", "Processes"),
    "disk limit": CheckMark("fail", "hard-drive", "Disk"),
    "rejected": CheckMark("fail", "ban", "Rejected"),
    "tampered": CheckMark("fail", "shield-alert", "Tampered"),
    "unwritten": CheckMark("muted", "square-pen", "To write"),
    "hidden": CheckMark("muted", "eye-off", "Hidden"),
    "waiting": CheckMark("muted", "circle", "Waiting"),
    "running": CheckMark("run", "loader-circle", "Running"),
}


@lru_cache(maxsize=256)
def icon_svg(name: str, size: int = 16) -> SafeString:
    """A lucide icon, hidden from screen readers; raises `lucide.IconDoesNotExist` for a name that is no icon."""
    svg = lucide._render_icon(name, size, aria_hidden="true", focusable="false", **{"class": f"icon icon-{name}"})  # noqa: SLF001
    return mark_safe(re.sub(r">\s+<", "><", svg).strip())  # noqa: S308 - a file of the package, nothing from outside


@register.simple_tag
def icon(name: str, size: int = 16) -> SafeString:
    """`{% icon "check" %}`: an icon beside a word, never instead of one."""
    return icon_svg(name + "", size)


@register.simple_tag
def chip(kind: str, label: str, icon: str = "") -> SafeString:
    """`{% chip "pass" "Released" %}`: a state as icon, word and colour."""
    return format_html(
        '<span class="chip chip-{}">{}<span>{}</span></span>', kind, icon_svg(icon or CHIP_ICONS[kind]), label
    )


@register.filter
def as_chip(state: object) -> SafeString:
    """`{{ row.state|as_chip }}`: a `StateChip` as a chip."""
    return chip(
        str(getattr(state, "kind", "muted")), str(getattr(state, "label", state)), str(getattr(state, "icon", ""))
    )


@register.simple_tag
def check_chip(state: str) -> SafeString:
    """`{% check_chip "partly" %}`: a check's state or verdict as a chip."""
    mark = CHECK_MARKS[str(state)]
    return chip(mark.kind, mark.label, mark.icon)


@register.filter
def check_kind(state: str) -> str:
    """The chip kind of a check's state or verdict."""
    return CHECK_MARKS[str(state)].kind


@register.filter
def check_word(state: str) -> str:
    """The word of a check's state or verdict."""
    return CHECK_MARKS[str(state)].label


@register.filter
def points(value: object) -> str:
    """Points without needless zeros and at most two decimals: 14, 13.6, 6.25; a dash when there are none yet."""
    if value is None or value == "":
        return "–"
    return f"{float(str(value)):.2f}".rstrip("0").rstrip(".").replace("-", "−")


@register.filter
def duration(milliseconds: float) -> str:
    """A time for people: `12 ms`, `1.9 s`, `2 min 5 s`; empty for zero."""
    if not milliseconds:
        return ""
    if milliseconds < 999.5:
        return f"{max(milliseconds, 1):.0f} ms"
    seconds = milliseconds / 1e3
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


@register.filter
def wait_in_words(snapshot: ProgressSnapshot) -> str:
    """When a waiting job is likely to begin: `starts in about 20 to 45 s`, `starts in about 2 to 6 min`, in round numbers."""
    low, high = snapshot.likely_s, snapshot.at_most_s
    unit, size, step = ("s", 1, 5) if high < 100 else ("min", 60, 1)
    early, late = (max(step, step * ceil(seconds / size / step)) for seconds in (low, high))
    return f"starts in about {early} {unit}" if early == late else f"starts in about {early} to {late} {unit}"


@register.filter
def seconds(value: float | None) -> str:
    """Seconds for people: `0.4 s`, `2 min 5 s`, `3 h 20 min`; a dash for none."""
    if value is None:
        return "–"
    if value >= 3600:
        return _span(timedelta(seconds=value))
    return duration(value * 1e3) or "0 s"


@register.filter
def file_size(size: int) -> str:
    """Bytes in binary steps, as file managers show them: `812 B`, `14.2 kB`, `1.5 MB`."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1024:.1f} kB" if size < 1024 * 1000 else f"{size / 1024**2:.1f} MB"


@register.filter
def short_hash(digest: str) -> str:
    """The ends of a hash, enough to compare by eye."""
    return f"{digest[:4]}…{digest[-4:]}" if len(digest) > 12 else digest


@register.filter
def in_words(moment: datetime) -> str:
    """How far a moment is: `in 2 d 4 h`, `3 min ago`, `now`."""
    gap = moment - clock.now()
    span = _span(abs(gap))
    if not span:
        return "now"
    return f"in {span}" if gap > timedelta(0) else f"{span} ago"


@register.filter
def ago(moment: datetime) -> str:
    """The same to the second within a minute: `4 s ago`."""
    gap = clock.now() - moment
    return f"{max(int(gap.total_seconds()), 0)} s ago" if gap < timedelta(minutes=1) else in_words(moment)


def _span(gap: timedelta) -> str:
    minutes = int(gap.total_seconds() // 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    if days >= 14:
        return f"{days // 7} weeks"
    if days:
        return f"{days} d {hours} h" if hours and days < 7 else f"{days} d"
    if hours:
        return f"{hours} h {minutes % 60} min" if minutes % 60 and hours < 6 else f"{hours} h"
    return f"{minutes} min" if minutes else ""


FORMATS = {"minute": "D j M, H:i", "second": "D j M, H:i:s", "day": "D j M", "clock": "H:i", "long": "l j F, H:i"}


@register.simple_tag
def moment(value: datetime, style: str = "minute", *, relative: bool = False) -> SafeString:
    """`{% moment due_at relative=True %}`: the moment in the offering's zone, and how far it is.

    `style` is minute, second, day, clock or long. The zone is the active one; `local-time.js` adds the viewer's own as a hint.
    """
    here = timezone.localtime(value)
    far = format_html(' <span class="muted nowrap">({})</span>', in_words(value)) if relative else ""
    text = format_date(here, FORMATS[style])
    return format_html(
        '<time datetime="{}" title="{}">{}</time>{}', here.isoformat(), format_date(here, "l j F Y, H:i:s T"), text, far
    )


@register.simple_tag
def check_icon(state: str) -> SafeString:
    """The icon of a check's state alone, for a mark whose word is hidden beside it."""
    return icon_svg(CHECK_MARKS[str(state)].icon, 14)
