"""A paper's data as it is typed, looked up or imported, and the row that holds it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from readings.models import Paper


@dataclass(frozen=True)
class PaperFacts:
    """What is known of a paper. `authors` is one line, "Ada Lovelace, Alan Turing"; text that is unknown is empty."""

    title: str
    authors: str = ""
    venue: str = ""
    year: int | None = None
    arxiv_id: str = ""
    doi: str = ""
    url: str = ""
    topic_hint: str = ""


def facts_of(paper: Paper) -> PaperFacts:
    """The data of a stored paper."""
    return PaperFacts(**{name: getattr(paper, name) for name in PaperFacts.__dataclass_fields__})


def paper_with(facts: PaperFacts) -> Paper:
    """The stored paper that has exactly these data, or a new one."""
    return Paper.objects.filter(**asdict(facts)).order_by("pk").first() or Paper.objects.create(**asdict(facts))


def changed_paper(paper: Paper, facts: PaperFacts) -> Paper:
    """The paper with new data. An offering that reads the same paper keeps what it has: then this is another row."""
    if facts == facts_of(paper):
        return paper
    if paper.readings.count() > 1:
        return paper_with(facts)
    Paper.objects.filter(pk=paper.pk).update(**asdict(facts))
    paper.refresh_from_db()
    return paper
