"""What names a paper: an arXiv id, a DOI, or its title as people compare titles."""

from __future__ import annotations

import re
import unicodedata

# since 2007: 2104.04473; before: hep-th/9901001, math.GT/0309136
_ARXIV = r"(?:\d{4}\.\d{4,5}|[a-z][a-z-]*(?:\.[A-Za-z]{2})?/\d{7})"
_ARXIV_ID = re.compile(
    rf"(?:https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)/|arxiv:\s*)?({_ARXIV}(?:v\d+)?)(?:\.pdf)?/?", re.I
)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/[!-~]+)", re.I)
_ARXIV_DOI = re.compile(rf"10\.48550/arxiv\.({_ARXIV})", re.I)
_VERSION = re.compile(r"v\d+$")


def arxiv_id(text: str) -> str:
    """The arXiv id in `text`, which may be an address, a DOI of arXiv, or carry a version; empty when it is none."""
    cleaned = text.strip()
    found = _ARXIV_ID.fullmatch(cleaned) or _ARXIV_DOI.fullmatch(doi(cleaned))
    return found[1] if found else ""


def doi(text: str) -> str:
    """The DOI in `text`, which may be an address; empty when it is none."""
    found = _DOI.fullmatch(text.strip())
    return found[1] if found else ""


def same_arxiv(arxiv: str) -> str:
    """What two arXiv ids have in common when they name one paper: no version, no capitals."""
    return _VERSION.sub("", arxiv.lower())


def same_doi(name: str) -> str:
    """DOIs do not tell capitals apart."""
    return name.lower()


def same_title(title: str) -> str:
    """Letters and digits alone, without accents and capitals."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    return "".join(letter for letter in plain if letter.isalnum())
