"""What may stand as a team's name."""

from __future__ import annotations

from unicodedata import category

from projects.teams.models import Team
from projects.teams.rules import TeamRefused

BLANKS, JOINERS = "\u115f\u1160\u2800\u3164\uffa0", "\u200c\u200d"
LONGEST_NAME = Team._meta.get_field("name").max_length or 0  # noqa: SLF001 - Django's name for a model's fields


def name_or_refusal(text: str) -> str:
    """The name as it is stored, its spaces tidied; raises `TeamRefused` for one that nobody could read or type."""
    name = " ".join(text.split())
    if not any(letter.isalnum() for letter in name):
        raise TeamRefused("A team's name needs at least one letter or digit.")
    if len(name) > LONGEST_NAME:
        raise TeamRefused(f"A team's name has at most {LONGEST_NAME} characters; this one has {len(name)}.")
    if any(_is_unseen(letter) for letter in name):
        raise TeamRefused("A team's name holds signs that nobody sees. Please type it anew.")
    return name


def _is_unseen(letter: str) -> bool:
    """Controls, spaces of no width, what turns the text around it, blank letters. Joiners make emoji, and words in some scripts."""
    return letter in BLANKS or (category(letter) in {"Cc", "Cf", "Co"} and letter not in JOINERS)
