"""What a module of mlsys_core says about itself: its title, then idea, equation, paper and cost, then what else there is to know."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from textwrap import dedent

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# how a file's own words begin and end: in Python, in C
MARKS = (('"""', '"""'), ("/*", "*/"))
_FACT = re.compile(r"(Idea|Equation|Paper|Cost) +(?=\S)")
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Fact:
    """One of idea, equation, paper and cost. An equation keeps its lines; other texts are one paragraph."""

    label: str
    text: str

    @property
    def is_equation(self) -> bool:
        """Whether its lines and columns mean something."""
        return self.label == "Equation"


@dataclass(frozen=True)
class Paragraph:
    """What follows: a paragraph, or an example whose lines stay as they are."""

    text: str
    is_code: bool


@dataclass(frozen=True)
class Docstring:
    """A module's docstring; `last_line` is the number of the line that ends it, 0 where there is none."""

    title: str
    facts: tuple[Fact, ...]
    rest: tuple[Paragraph, ...]
    last_line: int


@lru_cache(maxsize=512)
def docstring_of(source: str) -> Docstring:
    """The docstring of a module's text, or the comment of a C file's; the file begins with it or has none."""
    marks = next((marks for marks in MARKS if source.startswith(marks[0])), None)
    if marks is None:
        return Docstring("", (), (), 0)
    body = source.removeprefix(marks[0]).partition(marks[1])[0]
    # in Python two backslashes are one; a literal is read, not run
    told: str = ast.literal_eval(f'"""{body}"""') if "\\" in body and marks == MARKS[0] else body
    title, *blocks = re.split(r"\n\s*\n", told.strip("\n"))
    facts: list[Fact] = []
    rest: list[Paragraph] = []
    for block in blocks:
        found = _facts(block)
        facts += found
        if not found:
            rest.append(_paragraph(block))
    return Docstring(_words(title).removesuffix("."), tuple(facts), tuple(rest), body.count("\n") + 1)


def marked(text: str, links: Mapping[str, str] | None = None) -> SafeString:
    """A docstring's words as HTML: what stands between backticks is code, and a link where `links` knows its address."""

    pieces = _CODE.split(text)  # words and code by turns
    return format_html_join("", "{}", ((_code(it, links or {}) if at % 2 else it,) for at, it in enumerate(pieces)))


def _code(words: str, links: Mapping[str, str]) -> SafeString:
    inner = format_html("<code>{}</code>", words)
    return format_html('<a href="{}">{}</a>', links[words], inner) if words in links else inner


def _facts(block: str) -> list[Fact]:
    """The labelled lines of a block: each goes on in the indented lines below it."""
    lines = block.splitlines()
    starts = [at for at, line in enumerate(lines) if _FACT.match(line)]
    found = []
    for at in starts:
        label = _FACT.match(lines[at])
        more = list(takewhile(lambda line: line.startswith(" "), lines[at + 1 :]))
        if label:
            text = "\n".join([" " * label.end() + lines[at][label.end() :], *more])
            found.append(Fact(label[1], dedent(text) if label[1] == "Equation" else _words(text)))
    return found


def _paragraph(block: str) -> Paragraph:
    is_code = all(line.startswith("    ") for line in block.splitlines())
    return Paragraph(dedent(block).strip("\n") if is_code else _words(block), is_code)


def _words(text: str) -> str:
    return " ".join(text.split())
