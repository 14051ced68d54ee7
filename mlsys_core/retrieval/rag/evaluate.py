"""How good answers are: questions whose source is known, questions without one, and a threshold that has seen neither.

Idea      A planted question has the places that answer it. A citation is right when it names one of them; to answer a question that has
          none is an error, and so is to refuse one that has. The threshold is set on questions that are put aside for it: set on the
          questions that are counted, it would know their answers.
Equation  right = |citations at a known place| / |citations|;   refused = |unanswerable questions refused| / |unanswerable questions|
Paper     N. Liu, T. Zhang, P. Liang, "Evaluating verifiability in generative search engines", EMNLP 2023 findings: citation precision.
Cost      An answer a question.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from mlsys_core.retrieval.rag.answer import Answer, Answerer, calibrate
from mlsys_core.retrieval.rag.hybrid import Hybrid

Split = Literal["test", "calibration", "development"]


@dataclass(frozen=True)
class Question:
    """A question, the places (file, heading) that answer it, none if nothing does, and what it is for.

    "test" questions are counted, "calibration" sets the threshold, and on "development" ways to search and to choose are compared.
    """

    text: str
    sources: frozenset[tuple[str, str]]
    split: Split


@dataclass(frozen=True)
class Report:
    """Counts over answers. `wrong` are those with a citation elsewhere, or refused, or given where there is none."""

    citations: int
    right: int
    answerable: int
    answered: int
    unanswerable: int
    refused: int
    wrong: tuple[Answer, ...]

    @property
    def precision(self) -> float:
        """The part of the citations that is right; 0 when there are none."""
        return self.right / self.citations if self.citations else 0.0

    @property
    def correct(self) -> float:
        """The part of the answerable questions that were answered with right citations alone."""
        bad = {answer.question for answer in self.wrong}
        return 1 - (len(bad) - (self.unanswerable - self.refused)) / max(1, self.answerable)

    @property
    def refusals(self) -> float:
        """The part of the unanswerable questions that is refused."""
        return self.refused / max(1, self.unanswerable)


def load(path: Path) -> list[Question]:
    """Reads `[[question]]` tables: text, split, and sources as lists [file, heading]. Raises ValueError for a table that is not so."""
    with path.open("rb") as file:
        tables = tomllib.load(file).get("question", [])
    found = [_question(table, number) for number, table in enumerate(tables, start=1)]
    if len({question.text for question in found}) < len(found):
        raise ValueError(f"{path.name} asks a question twice: one that is counted must not be calibrated on.")
    return found


def documents(path: Path) -> list[str]:
    """The documents, as paths below the checkout, that were read when the places of these questions were written down.

    A page that is added later may answer a question, too, and nobody has looked; so questions are asked of these documents alone.
    """
    with path.open("rb") as file:
        return [str(name) for name in tomllib.load(file)["documents"]]


def _question(table: dict[str, object], number: int) -> Question:
    text, split, sources = table.get("text"), table.get("split"), table.get("sources", [])
    if not isinstance(text, str) or split not in get_args(Split) or not isinstance(sources, list):
        raise ValueError(f"Question {number} needs a text, a split of {get_args(Split)} and a list of sources.")
    places = frozenset((str(file), str(heading)) for file, heading in sources)
    return Question(text, places, cast("Split", split))


def calibrated(search: Hybrid, questions: Iterable[Question]) -> Answerer:
    """An answerer whose threshold was set on the calibration questions among these, and on no other."""
    answerer = Answerer(search, 0.0)
    supports: dict[bool, list[float]] = {True: [], False: []}
    for question in questions:
        if question.split == "calibration":
            supports[bool(question.sources)].append(answerer.best(question.text)[0])
    return Answerer(search, calibrate(supports[True], supports[False]))


def evaluate(answerer: Answerer, questions: Sequence[Question]) -> Report:
    """What becomes of these questions."""
    answers = [answerer.answer(question.text) for question in questions]
    pairs = list(zip(questions, answers, strict=True))
    places = [
        (citation.file, citation.heading) in question.sources
        for question, answer in pairs
        if question.sources
        for citation in answer.citations
    ]
    return Report(
        citations=len(places),
        right=sum(places),
        answerable=sum(bool(question.sources) for question in questions),
        answered=sum(bool(question.sources) and not answer.refused for question, answer in pairs),
        unanswerable=sum(not question.sources for question in questions),
        refused=sum(not question.sources and answer.refused for question, answer in pairs),
        wrong=tuple(answer for question, answer in pairs if not _good(question, answer)),
    )


def _good(question: Question, answer: Answer) -> bool:
    """Refused where there is nothing to say; otherwise every citation at a known place, and at least one."""
    if not question.sources:
        return answer.refused
    return not answer.refused and all((c.file, c.heading) in question.sources for c in answer.citations)
