"""A lab's handout as safe HTML whose headings carry the numbers that hints point at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from html import unescape

from django.utils.safestring import SafeString, mark_safe
from nh3 import clean

from web.templatetags.prose import render_markdown

_HEADING = re.compile(r'<h([1-4]) id="([^"]*)">(.*?)</h\1>', re.DOTALL)
_NUMBER = re.compile(r"^(\d+(?:\.\d+)*)\.?\s")


@dataclass(frozen=True)
class Handout:
    """Sanitised HTML and its outline: (id, title) of each second-level heading."""

    html: SafeString
    outline: tuple[tuple[str, str], ...]


@lru_cache(maxsize=64)
def render_handout(source: str) -> Handout:
    """A handout. The id of a numbered heading, "## 1.3 Broadcasting", is its number; of others, their words."""
    html = render_markdown(source)
    outline = tuple(
        (_id(found[3], found[2]), unescape(clean(found[3], tags=set())))
        for found in _HEADING.finditer(html)
        if found[1] == "2"
    )
    numbered = _HEADING.sub(lambda found: f'<h{found[1]} id="{_id(found[3], found[2])}">{found[3]}</h{found[1]}>', html)
    return Handout(html=mark_safe(numbered), outline=outline)  # noqa: S308 - render_markdown cleaned it; ids are digits and dots


def _id(title: str, fallback: str) -> str:
    number = _NUMBER.match(title)
    return number[1] if number else fallback
