"""The pages of docs/library inside the product: rendered as guides are, with links that lead to the product's own pages."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape, unescape
from pathlib import Path

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from web.handout import render_handout
from web.syllabus.library import files, packages

FOLDER = "docs/library"
INDEX = "README"
_LINK = re.compile(r'<a href="([^"]*)"([^>]*)>(.*?)</a>', re.DOTALL)


@dataclass(frozen=True)
class LibraryPage:
    """A page: its name is that of its file, its title the first line."""

    name: str
    title: str

    def text(self) -> str:
        """The page's Markdown."""
        return (Path(settings.BASE_DIR) / FOLDER / f"{self.name}.md").read_text(encoding="utf-8")


@cache
def library_pages() -> Mapping[str, LibraryPage]:
    """Every page by its name, found by looking into the folder once."""
    found = sorted(path for path in (Path(settings.BASE_DIR) / FOLDER).glob("*.md") if not path.is_symlink())
    return {path.stem: LibraryPage(path.stem, _title(path.read_text(encoding="utf-8"))) for path in found}


def render_page_text(page: LibraryPage, offering: str) -> tuple[SafeString, tuple[tuple[str, str], ...]]:
    """The page as safe HTML, and its outline: (id, title) of each section."""
    handout = render_handout(page.text())
    return link_to_product(handout.html, offering), handout.outline


def link_to_product(html: str, offering: str) -> SafeString:
    """Rendered text of docs/library whose relative links lead to pages of the product; where there is none, the words stay alone."""

    def place(found: re.Match[str]) -> str:
        target, attributes, words = unescape(found[1]), found[2], found[3]
        if target.startswith(("http://", "https://", "mailto:", "#")):
            return f'<a href="{escape(target)}"{attributes}>{words}</a>'
        there = _address(target, offering)
        return f'<a href="{escape(there)}">{words}</a>' if there else words

    return mark_safe(_LINK.sub(place, html))  # noqa: S308 - the text was cleaned; addresses are escaped


def source_url(offering: str, path: str) -> str:
    """The page of a file or package that is in the catalogue."""
    return reverse("library-source", args=[offering, path])


def page_url(offering: str, name: str) -> str:
    """The page of a text of docs/library."""
    return reverse("library", args=[offering]) if name == INDEX else reverse("library-page", args=[offering, name])


def _address(target: str, offering: str) -> str:
    path, _, fragment = target.partition("#")
    whole = posixpath.normpath(posixpath.join(FOLDER, path))
    anchor = f"#{fragment}" if fragment else ""
    if whole in files() or whole in packages():
        return source_url(offering, whole) + anchor
    name = posixpath.basename(whole).removesuffix(".md")
    if posixpath.dirname(whole) == FOLDER and whole.endswith(".md") and name in library_pages():
        return page_url(offering, name) + anchor
    return ""


def _title(text: str) -> str:
    return text.split("\n", 1)[0].lstrip("# ").replace("`", "").strip()
