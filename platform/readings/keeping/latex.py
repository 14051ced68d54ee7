"""Text from LaTeX and to LaTeX, as fields of BibTeX hold it. Accents by pybtex."""

from __future__ import annotations

import re
import unicodedata

from pybtex.exceptions import PybtexError
from pybtex.richtext import Text

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
_LIGATURES = re.compile(r"(?<=-)(?=-)|(?<=')(?=')|(?<=`)(?=`)|(?<=,)(?=,)|(?<=[?!])(?=`)")
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


def plain(latex: str) -> str:
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


def latex_of(text: str) -> str:
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
