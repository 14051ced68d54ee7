"""Whether a paper is on the list already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from readings.keeping.facts import PaperFacts
from readings.keeping.identifiers import same_arxiv, same_doi, same_title
from readings.models import Reading


@dataclass(frozen=True)
class Duplicate:
    """A reading that seems to be the same paper; `why` names what is the same."""

    reading: Reading
    why: str

    @property
    def sentence(self) -> str:
        """For people, as a whole sentence."""
        where = "in the archive" if self.reading.archived_at else f"number {self.reading.assignment.number}"
        return f"{self.why} as “{self.reading.paper.title}”, {where}."


class DuplicateFound(Exception):  # noqa: N818 - a question to the instructor, not a fault
    """The paper is on the list already; nothing was stored."""

    def __init__(self, duplicates: list[Duplicate]) -> None:
        super().__init__(" ".join(duplicate.sentence for duplicate in duplicates))
        self.duplicates = duplicates


def duplicates_of(facts: PaperFacts, readings: Iterable[Reading]) -> list[Duplicate]:
    """The readings among these that are the same paper by arXiv id, DOI or title."""
    found = ((reading, _why(facts, reading)) for reading in readings)
    return [Duplicate(reading, why) for reading, why in found if why]


def _why(facts: PaperFacts, reading: Reading) -> str:
    paper = reading.paper
    if facts.arxiv_id and same_arxiv(facts.arxiv_id) == same_arxiv(paper.arxiv_id):
        return "The same arXiv id"
    if facts.doi and same_doi(facts.doi) == same_doi(paper.doi):
        return "The same DOI"
    if same_title(facts.title) and same_title(facts.title) == same_title(paper.title):
        return "The same title"
    return ""
