"""Source in colours: spans with the class names for which components.css has colours."""

from __future__ import annotations

from functools import lru_cache

from django.utils.safestring import SafeString, mark_safe
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name


@lru_cache(
    maxsize=256
)  # a lab's cells and a module's page are the same for everybody, and cost more than the rest of their page
def coloured(source: str, language: str) -> SafeString:
    """Every line of it, as HTML; `language` is "python" or another name that Pygments knows."""
    lexer = get_lexer_by_name(language, stripnl=False)
    return mark_safe(highlight(source, lexer, HtmlFormatter(nowrap=True)))  # noqa: S308 - Pygments escapes
