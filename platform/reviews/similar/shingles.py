"""Text as runs of five words: what is compared, what everybody may use, and where in the text a run stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from unicodedata import normalize

WORDS = 5  # a run: long enough that two writers rarely share one by chance
COMMON_MIN, COMMON_SHARE = 8, 0.1  # a run that so many students use is no one's own
WORD = re.compile(r"\w+")

Shingles = frozenset[str]
Spans = list[tuple[int, int]]


def words_of(text: str) -> list[tuple[str, int, int]]:
    """Each word without case and spelling of letters, with its place in the text."""
    return [(normalize("NFKC", found[0]).casefold(), *found.span()) for found in WORD.finditer(text)]


def shingles_of(texts: Iterable[str]) -> Shingles:
    """All runs of words in the texts. None reaches from one text into the next, so that their order does not matter."""
    return frozenset(run for text in texts for run in _runs([word for word, _, _ in words_of(text)]))


def without_common(documents: Mapping[int, Shingles]) -> dict[int, Shingles]:
    """The documents without common runs. One that is made of them for more than a half keeps all: a text that ten students hand in
    is no phrase of the paper.
    """
    common = common_shingles(list(documents.values()))
    own = {key: runs - common for key, runs in documents.items()}
    return {key: own[key] if 2 * len(own[key]) >= len(runs) else runs for key, runs in documents.items()}


def common_shingles(documents: Sequence[Shingles]) -> Shingles:
    """Runs that a tenth of the documents use, and eight at least: the paper's own phrases, a quoted abstract."""
    most = max(COMMON_MIN, COMMON_SHARE * len(documents))
    used = Counter(run for document in documents for run in document)
    return frozenset(run for run, times in used.items() if times >= most)


def spans_of(text: str, shared: Shingles) -> Spans:
    """Where runs of `shared` stand in the text, as pairs of places in order; runs that touch are one."""
    words, spans = words_of(text), Spans()
    for at, run in enumerate(_runs([word for word, _, _ in words])):
        if run in shared:
            start, end = words[at][1], words[at + WORDS - 1][2]
            if spans and at and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
    return spans


def matches(texts: Mapping[str, str], shared: Shingles) -> dict[str, Spans]:
    """The same for each text by its name; texts without any are left out."""
    found = {name: spans_of(text, shared) for name, text in texts.items()}
    return {name: spans for name, spans in found.items() if spans}


def _runs(words: Sequence[str]) -> list[str]:
    return [" ".join(words[at : at + WORDS]) for at in range(len(words) - WORDS + 1)]
