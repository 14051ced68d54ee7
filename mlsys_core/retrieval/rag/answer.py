"""Answers that are quotations: the sentences that support them, with file, heading and lines, or a refusal.

Idea      A system that always answers is wrong whenever the documents are silent, and nobody can tell when. This one says nothing of its
          own. Of the chunks that were found it takes the one that supports the question best; BM25's score has a say, too, since a long
          chunk has many words by chance. It quotes the sentences that carry the answer and names the place. Where the chunk leaves too
          much of the question unsaid, it refuses and names what is missing.
Equation  support(q, c) = w · cover(q, c) + (1 - w) · max over sentences s of c of cover(q, s with its headings),
          cover = Σ_{t in q ∩ ·} idf(t) / Σ_{t in q} idf(t)
          chunk = argmax over found c of support(q, c) + BM25(q, c) / max BM25(q, ·);   it answers when its support ≥ threshold
          threshold: the cut between answerable and unanswerable questions with the fewest errors, in the middle of its gap
Paper     P. Rajpurkar, R. Jia, P. Liang, "Know what you don't know: unanswerable questions for SQuAD", ACL 2018: to abstain is half of
          answering. B. Bohnet et al., "Attributed question answering", arXiv 2212.08037: an answer counts with its source only.
Cost      A search, and O(words) of the chunks that it found.

A word that no document has weighs most of all, so a question about something unknown is refused by it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mlsys_core.retrieval.rag.chunks import Chunk, Sentence
from mlsys_core.retrieval.rag.hybrid import Hit, Hybrid
from mlsys_core.retrieval.rag.terms import named, terms

SENTENCES = 2  # that an answer quotes at most


@dataclass(frozen=True)
class Citation:
    """A place: lines `start` to `stop` of a file, counted from 1, and the heading above them."""

    file: str
    heading: str
    start: int
    stop: int

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.file}:{self.start}-{self.stop} ({self.heading})"


@dataclass(frozen=True)
class Answer:
    """Quoted sentences with their places, one citation a sentence; both empty when it refuses.

    support   in [0, 1], of the chunk that was chosen
    missing   words of the question that this chunk does not have, in their order
    """

    question: str
    sentences: tuple[str, ...]
    citations: tuple[Citation, ...]
    support: float
    missing: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether the documents do not support an answer."""
        return not self.citations

    def __str__(self) -> str:
        """For a reader: the quotations with their places, or why there are none."""
        if self.refused:
            unsaid = (
                f"{', '.join(self.missing)} beside the rest" if self.missing else "all of its words in one sentence"
            )
            return f"The documents do not answer this: no passage has {unsaid}. Ask in other words."
        return "\n".join(
            f"{sentence} [{place}]" for sentence, place in zip(self.sentences, self.citations, strict=True)
        )


class Answerer:
    """Answers from what a search finds. `threshold` in [0, 1]: see `calibrate`."""

    def __init__(self, search: Hybrid, threshold: float, *, depth: int = 10, weight: float = 0.5) -> None:
        if not (0 <= threshold <= 1 and 0 <= weight <= 1):
            raise ValueError(f"Support lies in [0, 1]: neither {threshold} nor {weight} may lie outside.")
        self.search, self.threshold, self.depth, self.weight = search, threshold, depth, weight

    def best(self, question: str) -> tuple[float, Chunk | None]:
        """The chunk to answer from, among those found, and its support; of equals the one that the search put first."""
        hits = self.search.search(question, self.depth)
        if not hits:
            return 0.0, None
        scores = self.search.words.scores(question)[[hit.number for hit in hits]]
        supports = [self._support(question, hit) for hit in hits]
        chosen = int(np.argmax(np.array(supports) + scores / max(float(scores.max()), 1e-12)))
        return supports[chosen], self.search.chunks[hits[chosen].number]

    def answer(self, question: str) -> Answer:
        """Quotes what supports an answer, or refuses. Raises ValueError for a question without a word to look for."""
        asked = dict(named(question))
        if not asked:
            raise ValueError("This question has no word that could be looked for: name what it is about.")
        support, chunk = self.best(question)
        having = set(terms(chunk.text)) if chunk else set()
        missing = tuple(word for term, word in asked.items() if term not in having)
        if chunk is None or support < self.threshold:
            return Answer(question, (), (), support, missing)
        quoted = self._quoted(question, chunk)
        places = tuple(Citation(chunk.file, chunk.heading, s.start, s.stop) for s in quoted)
        return Answer(question, tuple(s.text for s in quoted), places, support, missing)

    def _support(self, question: str, hit: Hit) -> float:
        chunk, cover = self.search.chunks[hit.number], self.search.words.coverage
        headings = set(terms(" ".join(chunk.headings)))
        inside = max(cover(question, headings | set(terms(sentence.text))) for sentence in chunk.sentences)
        return self.weight * cover(question, terms(chunk.text)) + (1 - self.weight) * inside

    def _quoted(self, question: str, chunk: Chunk) -> list[Sentence]:
        """One sentence after the other, each the one that adds most of what is still unsaid, in the order of the text."""
        said = set[str]()
        chosen: list[int] = []
        while len(chosen) < SENTENCES:
            gains = [
                self.search.words.coverage(question, said | set(terms(sentence.text))) for sentence in chunk.sentences
            ]
            best = max(range(len(gains)), key=lambda i: (gains[i], -i))
            if chosen and gains[best] <= self.search.words.coverage(question, said):
                break
            chosen.append(best)
            said |= set(terms(chunk.sentences[best].text))
        return [chunk.sentences[i] for i in sorted(chosen)]


def calibrate(answerable: Iterable[float], unanswerable: Iterable[float]) -> float:
    """The threshold that errs least on questions whose answerability is known, each kind weighing as much as the other.

    Takes the supports of both kinds, and gives the middle of the widest of the best gaps. Raises ValueError where a kind is missing.
    """
    yes, no = sorted(answerable), sorted(unanswerable)
    if not yes or not no:
        raise ValueError("A threshold lies between two kinds of questions: give some of each.")
    ends = [0.0, *sorted({*yes, *no}), 1.0]
    gaps = [(low, high) for low, high in pairwise(ends) if high > low]
    errors = [_errors(yes, no, (low + high) / 2) for low, high in gaps]
    least = min(errors)
    low, high = max(
        (gap for gap, error in zip(gaps, errors, strict=True) if error <= least + 1e-12),
        key=lambda gap: gap[1] - gap[0],
    )
    return (low + high) / 2


def _errors(yes: Sequence[float], no: Sequence[float], threshold: float) -> float:
    """Both shares of errors together."""
    return sum(x < threshold for x in yes) / len(yes) + sum(x >= threshold for x in no) / len(no)
