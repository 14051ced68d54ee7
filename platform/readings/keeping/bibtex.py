"""Papers from BibTeX and to BibTeX, by pybtex. Entries are read one by one, so that a broken one costs no other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from typing import Any, TextIO

from pybtex.database import BibliographyData, Entry, Person
from pybtex.database.input.bibtex import Parser, month_names
from pybtex.database.output.bibtex import Writer
from pybtex.exceptions import PybtexError
from pybtex.richtext import Text
from pybtex.scanner import PrematureEOF
from pybtex.utils import CaseInsensitiveDict

from readings.keeping import identifiers
from readings.keeping.facts import PaperFacts

MOST_ENTRIES = 200
MOST_CHARS = 1_000_000
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
_MATHS = re.compile(r"((?<!\\)\$[^$]*[^$\\]\$)")
# what LaTeX would take for a command, as LaTeX writes it; the empty groups keep ligatures apart
_TO_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    **{letter: f"\\{letter}" for letter in "$&%#_"},
}
_LIGATURES = re.compile(r"(?<=-)(?=-)|(?<=')(?=')|(?<=`)(?=`)|(?<=[?!])(?=`)")
# commands that the library leaves alone: read by us, and held apart from it meanwhile
_FROM_LATEX = {
    r"\\textbraceleft(?:\{\}|\s+|\b)": "{",
    r"\\textbraceright(?:\{\}|\s+|\b)": "}",
    r"\\textasciicircum(?:\{\}|\s+|\b)": "^",
    r"\\\$": "$",
    r"\\\{": "{",
    r"\\\}": "}",
}
_HELD = 0xE000  # private letters
# how a word is set says nothing about the paper
_FACES = re.compile(r"\\(?:emph|text(?:it|bf|sc|tt|rm|sf|normal)?|mbox|url)\s*(?=\{)|\\(?:em|it|bf|sc|tt|rm|sf)\b\s*")


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
    if len(text) > MOST_CHARS:
        raise BibTeXRefused("That is more than a megabyte of BibTeX. Please import the papers of this course alone.")
    starts = list(_START.finditer(text))
    if not starts:
        raise BibTeXRefused(NO_ENTRY)
    if len(starts) > MOST_ENTRIES:
        raise BibTeXRefused(
            f"These are more than {MOST_ENTRIES} entries. Please import the papers of this course alone."
        )
    ends = [start.start() for start in starts[1:]] + [len(text)]
    strings = "".join(
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


def _entry(source: str, strings: str, *, line: int) -> ReadEntry:
    named = _KEY.search(source)
    key = named[1] if named else "without a key"
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
    fields = {name.lower(): value for name, value in entry.fields.items()}
    eprint = identifiers.arxiv_id(_raw(fields.get("eprint", "")))
    doi, url = identifiers.doi(_raw(fields.get("doi", ""))), _raw(fields.get("url", ""))
    year = re.search(r"\d{4}", fields.get("year", "") or fields.get("date", ""))
    venue = next((text for name in _VENUES if (text := _plain(fields.get(name, "")))), "")
    return PaperFacts(
        title=_plain(fields.get("title", "")),
        authors=", ".join(filter(None, map(_name, entry.persons.get("author", [])))),
        venue=venue,
        year=int(year[0]) if year else None,
        arxiv_id=eprint or identifiers.arxiv_id(doi) or identifiers.arxiv_id(url),
        doi="" if identifiers.arxiv_id(doi) else doi,
        url=url,
        topic_hint=_clipped(_plain(fields.get("keywords", ""))),
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
    return _plain(" ".join(name for part in parts for name in part))


def _plain(latex: str) -> str:
    """Text without LaTeX: accents as letters, braces gone, maths between dollars as it is."""
    held: dict[int, str] = {}

    def hold(text: str) -> str:
        held[_HELD + len(held)] = text
        return chr(_HELD + len(held) - 1)

    quiet = _FACES.sub("", _MATHS.sub(lambda found: hold(found[0]), latex))
    for pattern, letter in _FROM_LATEX.items():
        quiet = re.sub(pattern, hold(letter), quiet)
    text = _decoded(re.sub(r"(?<!\\)%", r"\\%", quiet)).translate(held)
    return " ".join(unicodedata.normalize("NFC", text).split())


def _decoded(latex: str) -> str:
    try:
        return str(Text.from_latex(latex))
    except (PybtexError, ValueError):
        return latex  # no LaTeX, so as it stands


def _raw(field: str) -> str:
    """An address or id: only the characters that LaTeX makes people escape are given back."""
    return re.sub(r"\\([_%&#$~])", r"\1", field).replace("{", "").replace("}", "").strip()


def _as_entry(facts: PaperFacts) -> Any:
    fields = {
        # in a second pair of braces, styles leave its capitals alone
        "title": f"{{{_latex(facts.title)}}}",
        "booktitle": _latex(facts.venue),
        "year": str(facts.year or ""),
        "eprint": facts.arxiv_id,
        "archiveprefix": "arXiv" if facts.arxiv_id else "",
        "doi": facts.doi,
        "url": facts.url,
        "keywords": _latex(facts.topic_hint),
    }
    kind = "inproceedings" if facts.venue else "misc"
    authors = [_person(name) for name in facts.authors.split(", ") if name.strip()]
    return Entry(kind, [(name, text) for name, text in fields.items() if text], {"author": authors} if authors else {})


def _person(name: str) -> Any:
    if name == "et al.":
        return Person("others")
    latex = _latex(name)
    if not _CUT.search(name):
        person = Person(latex)
        if _name(person) == name:
            return person
    return Person(f"{{{latex}}}")


def _latex(text: str) -> str:
    """Text as LaTeX; maths between dollars stays as it is. A dollar without a partner is money."""
    parts = _MATHS.split(text)
    return "".join(part if number % 2 and _balanced(part) else _escaped(part) for number, part in enumerate(parts))


def _escaped(text: str) -> str:
    return "".join(_TO_LATEX.get(letter, letter) for letter in _LIGATURES.sub("\0", text)).replace("\0", "{}")


def _balanced(maths: str) -> bool:
    depth = 0
    for letter in maths:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return depth == 0


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
