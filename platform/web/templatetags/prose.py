"""Markdown of handouts, cells, hints and guides as HTML that is safe to show: rendered, then sanitised."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from html import escape

import nh3
from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments.util import ClassNotFound

from web.colours import coloured

register = template.Library()

TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s"),
    *("a", "table", "thead", "tbody", "tr", "th", "td", "span", "div", "dl", "dt", "dd", "sup", "sub", "kbd", "details", "summary"),
}  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "title", "id"},
    "code": {"class"},
    "span": {"class"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "th": {"class"},
    "td": {"class"},
    "ol": {"start"},
    **{f"h{level}": {"id"} for level in range(1, 7)},
}


def _code(source: str, language: str, _: str) -> str:
    try:
        return coloured(source, language or "text")
    except ClassNotFound:
        return ""  # markdown-it escapes and shows it as it is


def _formula(source: str, _options: dict[str, bool]) -> str:
    """The TeX itself, marked for static/js/maths.js; without JavaScript it can still be read."""
    return escape(source)


@lru_cache(maxsize=1)
def _renderer() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "typographer": True, "highlight": _code})
    parser.enable(["table", "strikethrough"])
    parser.use(anchors_plugin, max_level=4)
    parser.use(dollarmath_plugin, renderer=_formula, double_inline=True, allow_digits=False)
    return parser


@lru_cache(maxsize=512)
def render_markdown(text: str) -> SafeString:
    """Sanitised HTML of a Markdown text. TeX between dollars becomes `.math` elements; headings get ids."""
    html = nh3.clean(
        _renderer().render(text), tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https", "mailto"}
    )
    # a wide table scrolls by itself, and a keyboard can reach it
    html = html.replace("<table>", '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>')
    return mark_safe(html.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">'))  # noqa: S308 - nh3 cleaned it


@register.filter
def prose(text: str) -> SafeString:
    """`{{ hint|prose }}`: Markdown from a lab or a guide."""
    return render_markdown(text)


@lru_cache(maxsize=1024)
def _inline(text: str) -> SafeString:
    html = nh3.clean(
        _renderer().renderInline(text), tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https", "mailto"}
    )
    return mark_safe(html)  # noqa: S308 - nh3 cleaned it


@register.filter
def inline_prose(text: str) -> SafeString:
    """One sentence with `code`, emphasis and maths, without a paragraph around it."""
    return _inline(text)


@register.filter
def python_source(text: str) -> SafeString:
    """Python in colours, by class names."""
    return coloured(text.strip("\n"), "python")


_HEADING = re.compile(r'<(/?)h([1-6])(?: id="[^"]*")?>')
_TITLE = re.compile(r"<h1[^>]*>.*?</h1>\s*", re.DOTALL)


@register.filter
def below(html: str, level: int) -> SafeString:
    """Rendered text with its headings moved `level` steps down and without their ids, for text inside a larger page."""
    return mark_safe(_HEADING.sub(lambda found: f"<{found[1]}h{min(int(found[2]) + level, 6)}>", html))  # noqa: S308 - tags alone change


@register.filter
def without_title(html: str) -> SafeString:
    """Rendered text without its first-level headings: the page around it has the title."""
    return mark_safe(_TITLE.sub("", html))  # noqa: S308 - tags alone go


@register.filter
def has_maths(html: str) -> bool:
    """Whether rendered text holds a formula, so that the page loads the formula renderer."""
    return 'class="math' in html


@register.filter
def cells_have_maths(cells: Iterable[object]) -> bool:
    """The same for the text cells of a notebook."""
    return any(has_maths(str(getattr(cell, "html", ""))) for cell in cells)
