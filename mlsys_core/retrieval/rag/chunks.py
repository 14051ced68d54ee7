"""Documents in pieces that can be found, read and cited: cut at headings, overlapping, each knowing where it came from.

Idea      What is retrieved is shown to a reader, or to a model with little room, so it should be short and about one thing. A heading says
          where something else begins. A long section is cut into runs of sentences, and each run begins with the end of the one before, so
          that no two sentences that explain each other are only ever apart. Nothing is cut inside a sentence, and each sentence keeps the
          lines that it stands on: an answer without its place is a claim.
Equation  a run ends before the sentence with which it would pass `words`; the next begins with the last `overlap` words, in whole sentences
Paper     M. Hearst, "TextTiling", Computational Linguistics 23, 1997: passages as units of retrieval. P. Lewis et al.,
          "Retrieval-augmented generation for knowledge-intensive NLP tasks", NeurIPS 2020, section 2.2, cuts by 100 words and no headings.
Cost      O(characters); a text of w words in runs of n with overlap o has about w / (n - o) of them.

Code between fences is left out: its lines are no sentences, and a page's example would be found instead of what it is an example of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEADING = re.compile(r"(#{1,6}) +(.*?)[ #]*$")
FENCE = re.compile(r" {0,3}(```|~~~)")
ITEM = re.compile(r" *(?:[-*+]|\d{1,2}\.) +")
RULE = re.compile(r"[ |:-]+$")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
EMPHASIS = re.compile(r"(?<![\w*])(\*\*?)(?=\S)([^*]+)(?<=\S)\1(?![\w*])")
# the end of a sentence: a mark and a gap, what follows begins anew, and the mark ends no initial ("J. Su")
END = re.compile(r"(?<=[.!?])(?<![ .(][A-Z]\.)\s+(?=[A-Z0-9“\"'`*(\[])")


@dataclass(frozen=True)
class Sentence:
    """A sentence, an item of a list or a row of a table, without markup; lines `start` to `stop` of its file, counted from 1."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True)
class Section:
    """What stands between two headings. `headings` are those above it, the document's title first."""

    file: str
    headings: tuple[str, ...]
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Chunk:
    """A run of sentences of one section; never empty."""

    file: str
    headings: tuple[str, ...]
    sentences: tuple[Sentence, ...]

    @property
    def heading(self) -> str:
        """The heading right above it."""
        return self.headings[-1] if self.headings else ""

    @property
    def lines(self) -> tuple[int, int]:
        """The first and the last line of its file that it stands on."""
        return self.sentences[0].start, self.sentences[-1].stop

    @property
    def body(self) -> str:
        """Its sentences."""
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def text(self) -> str:
        """What is searched: its headings, which say what its sentences need not repeat, and its sentences."""
        return " ".join((*self.headings, self.body))


def sections(file: str, text: str) -> Iterator[Section]:
    """The sections of a Markdown text that say something, in their order."""
    headings: list[tuple[int, str]] = []
    body: list[tuple[int, str]] = []
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        mark = FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
            body.append((number, ""))
        elif not fence and (found := HEADING.match(line)):
            yield from _section(file, headings, body)
            body, level = [], len(found[1])
            headings = [*(h for h in headings if h[0] < level), (level, plain(found[2]))]
        elif not fence:
            body.append((number, line))
    yield from _section(file, headings, body)


def chunks(parts: Iterator[Section], words: int = 110, overlap: int = 30) -> Iterator[Chunk]:
    """Runs of at most `words` words with at most `overlap` words of the run before; a longer sentence is a run of its own.

    Raises ValueError for an overlap that leaves nothing new in a run.
    """
    if not 0 <= overlap < words:
        raise ValueError(f"Runs of {words} words cannot repeat {overlap} of them: the overlap is less than the run.")
    for part in parts:
        for run in _runs(part.sentences, words, overlap):
            yield Chunk(part.file, part.headings, tuple(run))


def plain(text: str) -> str:
    """A text without the marks of links, weight and code, and with single spaces; a link is its label."""
    return " ".join(EMPHASIS.sub(r"\2", LINK.sub(r"\1", text)).replace("`", "").split())


def sentences(lines: Sequence[tuple[int, str]]) -> list[Sentence]:
    """The sentences of numbered lines, which may run over several of them."""
    found: list[Sentence] = []
    for paragraph in _paragraphs(lines):
        found += _sentences(paragraph)
    return found


def _section(file: str, headings: Sequence[tuple[int, str]], body: Sequence[tuple[int, str]]) -> Iterator[Section]:
    found = tuple(sentences(body))
    if found:
        yield Section(file, tuple(text for _, text in headings), found)


def _paragraphs(lines: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Lines that belong together: up to an empty one, the next item or the next row of a table."""
    block: list[tuple[int, str]] = []
    for number, line in lines:
        row, item = line.lstrip().startswith("|"), ITEM.match(line)
        if block and (row or item or not line.strip()):
            yield block
            block = []
        if row:
            text = " · ".join(cell.strip() for cell in line.strip().strip("|").split("|") if cell.strip())
            if not RULE.match(line):
                yield [(number, text)]
        elif line.strip():
            block.append((number, line[item.end() :] if item else line))
    if block:
        yield block


def _sentences(block: Sequence[tuple[int, str]]) -> Iterator[Sentence]:
    text, starts = "", list[tuple[int, int]]()
    for number, line in block:
        text += " " if text else ""
        starts.append((len(text), number))
        text += line.strip()
    first = 0
    for last in [*(mark.start() for mark in END.finditer(text)), len(text)]:
        words = plain(text[first:last])
        if words:
            begin = first + len(text[first:last]) - len(text[first:last].lstrip())
            yield Sentence(words, _line(starts, begin), _line(starts, last - 1))
        first = last


def _line(starts: Sequence[tuple[int, int]], at: int) -> int:
    return max(number for start, number in starts if start <= at)


def _runs(found: Sequence[Sentence], words: int, overlap: int) -> Iterator[list[Sentence]]:
    run: list[Sentence] = []
    new = 0  # sentences of the run that no run had before
    for sentence in found:
        if new and _words(run) + _words([sentence]) > words:
            yield run
            run, new = _tail(run, min(overlap, words - _words([sentence]))), 0
        run.append(sentence)
        new += 1
    if new:
        yield run


def _tail(run: Sequence[Sentence], most: int) -> list[Sentence]:
    """The last sentences of a run that have at most so many words together."""
    start = len(run)
    while start and _words(run[start - 1 :]) <= most:
        start -= 1
    return list(run[start:])


def _words(found: Sequence[Sentence]) -> int:
    return sum(len(sentence.text.split()) for sentence in found)
