"""Source in colours: spans with the class names for which components.css has colours."""

from __future__ import annotations

from django.utils.safestring import SafeString, mark_safe
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name


def coloured(source: str, language: str) -> SafeString:
    """Every line of it, as HTML; `language` is "python" or another name that Pygments knows."""
    lexer = get_lexer_by_name(language, stripnl=False)
    return mark_safe(highlight(source, lexer, HtmlFormatter(nowrap=True)))  # noqa: S308 - Pygments escapes
