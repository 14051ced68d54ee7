"""Looking up a paper's data by its arXiv id or DOI. What looks up is a plug-in; without one, the form is filled by hand.

`PAPER_LOOKUP` chooses it: `off`, `web`, or the dotted name of a class that has `find`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from readings.keeping import identifiers
from readings.keeping.facts import PaperFacts

BUILT_IN = {"web": "readings.keeping.lookup.web.WebLookup"}
BY_HAND = "Please fill in the form by hand."


@dataclass(frozen=True)
class Identifier:
    """What is looked up: `value` is an arXiv id or a DOI, without any address around it."""

    kind: Literal["arxiv", "doi"]
    value: str


class LookupFailed(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """No data; the text says why, in a sentence for people."""


class PaperLookup(Protocol):
    """Finds a paper's data."""

    def find(self, identifier: Identifier) -> PaperFacts:
        """The paper's data; raises `LookupFailed` within `PAPER_LOOKUP_TIMEOUT_S`."""
        ...


def is_on() -> bool:
    """Whether this installation looks papers up."""
    return settings.PAPER_LOOKUP not in {"", "off"}


def look_up(text: str) -> PaperFacts:
    """The data of the paper that `text` names; raises `LookupFailed` with the sentence that the form shows."""
    if not is_on():
        raise LookupFailed(f"Looking up papers is switched off here. {BY_HAND}")
    identifier = identified(text)
    if identifier is None:
        raise LookupFailed(
            f"“{text.strip()[:80]}” is no arXiv id and no DOI, so there is nothing to look up. {BY_HAND}"
        )
    try:
        return _plug_in().find(identifier)
    except LookupFailed as failure:
        raise LookupFailed(f"{failure} {BY_HAND}") from failure


def identified(text: str) -> Identifier | None:
    """What `text` names, or None."""
    if arxiv := identifiers.arxiv_id(text):
        return Identifier("arxiv", arxiv)
    if doi := identifiers.doi(text):
        return Identifier("doi", doi)
    return None


def _plug_in() -> PaperLookup:
    name = settings.PAPER_LOOKUP
    return cast("PaperLookup", import_string(BUILT_IN.get(name, name))())
