"""Papers from BibTeX and to BibTeX, by pybtex. Entries are read one by one, so that a broken one costs no other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from typing import Any, TextIO

from pybtex.database import BibliographyData, Entry, Person
from pybtex.database.input.bibtex import Parser, month_names
from pybtex.database.output.bibtex import Writer
from pybtex.exceptions import PybtexError
from pybtex.scanner import PrematureEOF
from pybtex.utils import CaseInsensitiveDict

from readings.keeping import identifiers
from readings.keeping.facts import PaperFacts
from readings.keeping.latex import latex_of, plain

MOST_ENTRIES = 200
MOST_CHARS = 400_000
ENTRY_CHARS = 30_000
# decoding takes its time, and no title is that long
FIELD_CHARS = 2_000
MOST_AUTHORS = 500
TOPIC_CHARS = 80
NO_ENTRY = "There is no BibTeX entry in this text. An entry begins like @inproceedings{key, …"
_START = re.compile(r"^[ \t]*@\s*([A-Za-z]+)\s*[{(]", re.MULTILINE)
_KEY = re.compile(r"@\s*\w+\s*[{(]\s*([^\s,{}()]{1,60})")
_VENUES = (
    "booktitle",
    "journal",
    "journaltitle",
    "eventtitle",
    "series",
    "school",
    "institution",
    "publisher",
    "howpublished",
)
# a name that BibTeX would cut in two keeps its braces
_CUT = re.compile(r"(?:^|\s)(?:and|others)(?:\s|$)|,", re.IGNORECASE)


class BibTeXRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """The text as a whole cannot be taken; the text of the error says why."""


@dataclass(frozen=True)
class ReadEntry:
    """One entry: its data, or what is wrong with it. `line` is where it begins, counted from 1."""

    key: str
    line: int
    facts: PaperFacts | None
    problem: str = ""


def read_bibtex(text: str) -> list[ReadEntry]:
    """Every entry of `text`, in order; raises `BibTeXRefused` where there is none, or far too many."""
    starts = _starts(text)
    ends = [start.start() for start in starts[1:]] + [len(text)]
    strings = _strings(
        text[start.start() : end] for start, end in zip(starts, ends, strict=True) if start[1].lower() == "string"
    )
    entries = [
        _entry(text[start.start() : end], strings, line=text.count("\n", 0, start.start()) + 1)
        for start, end in zip(starts, ends, strict=True)
        if start[1].lower() not in {"string", "comment", "preamble"}
    ]
    if not entries:
        raise BibTeXRefused(NO_ENTRY)
    return entries


def _starts(text: str) -> list[re.Match[str]]:
    if len(text) > MOST_CHARS:
        raise BibTeXRefused(
            "That is more BibTeX than a reading list needs. Please import the papers of this course alone."
        )
    starts = list(_START.finditer(text))
    if not starts:
        raise BibTeXRefused(NO_ENTRY)
    if len(starts) > MOST_ENTRIES:
        raise BibTeXRefused(
            f"These are more than {MOST_ENTRIES} entries. Please import the papers of this course alone."
        )
    return starts


def write_bibtex(papers: Iterable[PaperFacts]) -> str:
    """The papers as a .bib file in UTF-8, with a key each."""
    data, stream = BibliographyData(), StringIO()
    for facts in papers:
        data.add_entry(_unique(_key(facts), data.entries), _as_entry(facts))
    _Writer(encoding="UTF-8").write_stream(data, stream)
    return stream.getvalue()


class _Strings(CaseInsensitiveDict):  # type: ignore[misc]
    """Abbreviations; one that nobody defined stands for itself."""

    def __getitem__(self, name: str) -> str:
        return str(super().__getitem__(name)) if name in self else name


class _Strict(Parser):  # type: ignore[misc]
    """Raises at the first thing that is wrong, instead of printing it."""

    def __init__(self) -> None:
        super().__init__()
        self.macros = _Strings(month_names)

    def handle_error(self, error: PybtexError) -> None:
        raise error


class _Writer(Writer):  # type: ignore[misc]
    """Writes what it is given, which is LaTeX already."""

    def _write_field(self, stream: TextIO, type: str, value: str) -> None:  # noqa: A002 - the library's name
        self.check_braces(value)
        stream.write(f",\n    {type} = {{{value}}}")


def _strings(sources: Iterable[str]) -> str:
    """The abbreviations that can be read; entries that use another one get its name."""
    good = ""
    for source in sources:
        with suppress(PybtexError, RecursionError):
            _Strict().parse_string(source)
            good += source
    return good


def _entry(source: str, strings: str, *, line: int) -> ReadEntry:
    named = _KEY.search(source)
    key = named[1] if named else "without a key"
    if len(source) > ENTRY_CHARS:
        return ReadEntry(
            key, line, None, f"It is longer than {ENTRY_CHARS:,} characters. Please leave its abstract out."
        )
    try:
        data = _Strict().parse_string(strings + source)
    except PybtexError as error:
        return ReadEntry(key, line, None, _problem(error))
    except RecursionError:
        return ReadEntry(key, line, None, "Its braces are nested too deeply.")
    found = list(data.entries.values())
    if len(found) != 1:
        return ReadEntry(key, line, None, "It does not end where the next one begins; a brace may be missing.")
    facts = _facts(found[0])
    return ReadEntry(key, line, facts) if facts.title else ReadEntry(key, line, None, "It has no title.")


def _problem(error: PybtexError) -> str:
    """The library's words, without its count of lines: ours is that of the whole text."""
    if isinstance(error, PrematureEOF):
        return "It does not end: a brace or a quote is not closed."
    words = re.sub(r"^syntax error ?|in line \d+: ?", "", str(error)).strip(" .")
    return f"It cannot be read: {words}."


def _facts(entry: Any) -> PaperFacts:
    fields = {name.lower(): value[:FIELD_CHARS] for name, value in entry.fields.items()}
    eprint = identifiers.arxiv_id(_raw(fields.get("eprint", "")))
    doi, url = identifiers.doi(_raw(fields.get("doi", ""))), _raw(fields.get("url", ""))
    year = re.search(r"\d{4}", fields.get("year", "") or fields.get("date", ""))
    venue = next((text for name in _VENUES if (text := plain(fields.get(name, "")))), "")
    return PaperFacts(
        title=plain(fields.get("title", "")),
        authors=", ".join(filter(None, map(_name, entry.persons.get("author", [])[:MOST_AUTHORS]))),
        venue=venue,
        year=int(year[0]) if year else None,
        arxiv_id=eprint or identifiers.arxiv_id(doi) or identifiers.arxiv_id(url),
        doi="" if identifiers.arxiv_id(doi) else doi,
        url=url,
        topic_hint=_clipped(plain(fields.get("keywords", ""))),
    )


def _clipped(keywords: str) -> str:
    """As many whole keywords as a topic has room for."""
    if len(keywords) <= TOPIC_CHARS:
        return keywords
    return keywords[: TOPIC_CHARS + 1].rpartition(",")[0].strip() or keywords[:TOPIC_CHARS].strip()


def _name(person: Any) -> str:
    if str(person) == "others":
        return "et al."
    parts = (person.first_names, person.middle_names, person.prelast_names, person.last_names, person.lineage_names)
    return plain(" ".join(name for part in parts for name in part))


def _raw(field: str) -> str:
    """An address or id: only the characters that LaTeX makes people escape are given back."""
    return re.sub(r"\\([_%&#$~])", r"\1", field).replace("{", "").replace("}", "").strip()


def _as_entry(facts: PaperFacts) -> Any:
    fields = {
        # in a second pair of braces, styles leave its capitals alone
        "title": f"{{{latex_of(facts.title)}}}",
        "booktitle": latex_of(facts.venue),
        "year": str(facts.year or ""),
        "eprint": facts.arxiv_id,
        "archiveprefix": "arXiv" if facts.arxiv_id else "",
        "doi": _address(facts.doi),
        "url": _address(facts.url),
        "keywords": latex_of(facts.topic_hint),
    }
    kind = "inproceedings" if facts.venue else "misc"
    authors = [_person(name) for name in facts.authors.split(", ") if name.strip()]
    return Entry(kind, [(name, text) for name, text in fields.items() if text], {"author": authors} if authors else {})


def _address(text: str) -> str:
    """A brace would end the field, or never; in an address it can be written otherwise."""
    return text.replace("{", "%7B").replace("}", "%7D")


def _person(name: str) -> Any:
    if name == "et al.":
        return Person("others")
    latex = latex_of(name)
    if not _CUT.search(name):
        person = Person(latex)
        if _name(person) == name:
            return person
    return Person(f"{{{latex}}}")


def _key(facts: PaperFacts) -> str:
    """As people make keys: last name of the first author, year, first long word of the title."""
    last = facts.authors.split(", ")[0].split(" ")[-1]
    word = next((word for word in re.findall(r"\w+", facts.title) if len(word) > 3), "paper")
    letters = unicodedata.normalize("NFKD", f"{last}{facts.year or ''}{word}".lower())
    return re.sub(r"[^a-z0-9]", "", letters) or "paper"


def _unique(key: str, taken: Iterable[str]) -> str:
    used = {name.lower() for name in taken}
    return next(
        name for number in range(1, len(used) + 2) if (name := key if number == 1 else f"{key}{number}") not in used
    )
