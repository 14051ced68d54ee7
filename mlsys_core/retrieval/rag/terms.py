"""Words of a text as a search engine sees them: small, without endings, without the words that every text has.

Idea      A question says "which blocks are evicted", its answer "a block goes when …". Both are cut down to stems, so that the forms of a
          word meet. Rules are few and look at endings only; what matters is that question and text are cut alike, and not that a stem is a
          word.
Equation  terms(text) = [stem(w) : w a run of letters and digits in lower case, w no stop word]
Paper     D. Harman, "How effective is suffixing?", Journal of the American Society for Information Science 42, 1991: what endings are
          worth taking off, and that it helps little on average and much for some questions.
Cost      O(characters).
"""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
# What questions and answers are built with, whatever they are about.
_STOP = """
a about after all also am an and any are as at be because been before being below both but by can cannot
could did do does doing done each either else even ever every for from get gets give given gives go goes
had has have having he her here his how i if in into is it its itself just let like made make makes many
may me might more most much must my need needs neither no nor not of off on once one only or other others
our out over own rather same say says shall she should so some still such take taken takes tell than that
the their them then there these they thing things this those through to too under until up upon us use
used uses using very was way we well were what whatever when where whether which while who whoever whom
whose why will with within without would yet you your
"""
STOP = frozenset(_STOP.split())
VOWEL = re.compile("[aeiouy]")
_ENDINGS = (("ization", "iz"), ("isation", "iz"), ("ation", ""), ("ition", "it"), ("ions", ""), ("ion", ""))


def terms(text: str) -> list[str]:
    """The stems of a text in their order; a word with a hyphen is its parts."""
    return [term for term, _ in named(text)]


def named(text: str) -> list[tuple[str, str]]:
    """The same, each stem with the word that it comes from, in lower case."""
    words = (found.group().partition("'")[0] for found in WORD.finditer(text.lower()))
    return [(stem(word), word) for word in words if word not in STOP]


def stem(word: str) -> str:
    """A word in lower case without its ending. Numbers and words of up to three letters stay as they are."""
    if len(word) <= 3 or not word.isalpha():
        return word
    word = _singular(word)
    for ending in ("ing", "ed", "ly"):
        start = word.removesuffix(ending)
        if start != word and len(start) >= 3 and VOWEL.search(start):
            word = start[:-1] if start[-1] == start[-2] and start[-1] not in "lsz" else start
            break
    for ending, instead in _ENDINGS:
        start = word.removesuffix(ending)
        if start != word and len(start) >= 4:
            word = start + instead
            break
    return _without_e(word)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "ches", "shes", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _without_e(word: str) -> str:
    """The last step, so that "compute" and "computing" meet, "communicate" and "communication" too."""
    word = word.removesuffix("e") if len(word) > 3 else word
    return word[:-2] if word.endswith("at") and len(word) > 6 else word
