"""Papers by the open interfaces of arXiv (Atom) and Crossref (JSON)."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET  # document types are refused before anything is parsed

import msgspec
import nh3
from django.conf import settings

from readings.keeping.facts import PaperFacts
from readings.keeping.identifiers import doi as doi_in
from readings.keeping.lookup import Identifier, LookupFailed
from readings.keeping.lookup.fetching import fetch

ARXIV = "https://export.arxiv.org/api/query?"
CROSSREF = "https://api.crossref.org/works/"
NAMES = {"atom": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom"}


class WebLookup:
    """arXiv ids by arXiv, DOIs by Crossref."""

    def find(self, identifier: Identifier) -> PaperFacts:
        """The paper's data; raises `LookupFailed`."""
        if identifier.kind == "arxiv":
            query = urlencode({"id_list": identifier.value, "max_results": 1})
            return arxiv_facts(_fetch(ARXIV + query), identifier.value)
        return crossref_facts(_fetch(CROSSREF + quote(identifier.value, safe="")), identifier.value)


def arxiv_facts(answer: bytes, arxiv_id: str) -> PaperFacts:
    """The first entry of an Atom feed of arXiv; raises `LookupFailed` where there is none, or it cannot be read."""
    entry = _feed(answer).find("atom:entry", NAMES)
    title = _text(entry, "atom:title")
    # an id that arXiv cannot read comes back as an entry that is called an error
    if entry is None or not title or "/api/errors" in _text(entry, "atom:id"):
        raise LookupFailed(f"arXiv knows no paper {arxiv_id}.")
    published = _text(entry, "atom:published")[:4]
    return PaperFacts(
        title=title,
        authors=", ".join(_plain(name.text or "") for name in entry.findall("atom:author/atom:name", NAMES)),
        year=int(published) if published.isdecimal() else None,
        arxiv_id=arxiv_id,
        doi=doi_in(_text(entry, "arxiv:doi")),
    )


def _feed(answer: bytes) -> ET.Element:
    try:
        text = answer.decode()
        # without a document type there are no entities, inner or outer
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise LookupFailed("The answer of arXiv could not be read.")
        return ET.fromstring(text)  # noqa: S314 - see above
    except (UnicodeDecodeError, ET.ParseError, ValueError) as error:
        raise LookupFailed("The answer of arXiv could not be read.") from error


class _Author(msgspec.Struct):
    given: str = ""
    family: str = ""
    name: str = ""


class _Issued(msgspec.Struct, rename="kebab"):
    date_parts: list[list[int | None]] = []


class _Event(msgspec.Struct):
    acronym: str = ""


class _Work(msgspec.Struct, rename="kebab"):
    title: list[str]
    author: list[_Author] = []
    container_title: list[str] = []
    short_container_title: list[str] = []
    issued: _Issued = msgspec.field(default_factory=_Issued)
    event: _Event | None = None


class _Answer(msgspec.Struct):
    message: _Work


def crossref_facts(answer: bytes, doi: str) -> PaperFacts:
    """A work of Crossref; raises `LookupFailed` where the answer cannot be read."""
    try:
        work = msgspec.json.decode(answer, type=_Answer).message
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LookupFailed("The answer of Crossref could not be read.") from error
    if not work.title:
        raise LookupFailed(f"Crossref knows no title of {doi}.")
    names = (author.name or f"{author.given} {author.family}" for author in work.author)
    venues = [work.event.acronym if work.event else "", *work.short_container_title, *work.container_title]
    year = next((part[0] for part in work.issued.date_parts if part), None)
    return PaperFacts(
        title=_plain(work.title[0]),
        authors=", ".join(filter(None, map(_plain, names))),
        venue=next(filter(None, map(_plain, venues)), ""),
        year=year,
        doi=doi,
    )


def _fetch(url: str) -> bytes:
    return fetch(url, timeout_s=settings.PAPER_LOOKUP_TIMEOUT_S, max_bytes=settings.PAPER_LOOKUP_MAX_BYTES)


def _text(entry: ET.Element | None, name: str) -> str:
    found = entry.findtext(name, "", NAMES) if entry is not None else ""
    return re.sub(r"\s+", " ", found).strip()


def _plain(text: str) -> str:
    """Text without the mark-up that publishers put into titles."""
    return re.sub(r"\s+", " ", unescape(nh3.clean(text, tags=set()))).strip()
