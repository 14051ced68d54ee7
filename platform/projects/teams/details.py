"""What may stand as a team's name."""

from __future__ import annotations

from projects.teams.models import Team
from projects.teams.rules import TeamRefused

LONGEST_NAME = Team._meta.get_field("name").max_length or 0  # noqa: SLF001 - Django's name for a model's fields


def name_or_refusal(text: str) -> str:
    """The name as it is stored, its spaces tidied; raises `TeamRefused` for one that nobody could read or type."""
    name = " ".join(text.split())
    if not any(letter.isalnum() for letter in name):
        raise TeamRefused("A team's name needs at least one letter or digit.")
    if len(name) > LONGEST_NAME:
        raise TeamRefused(f"A team's name has at most {LONGEST_NAME} characters; this one has {len(name)}.")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise TeamRefused("A team's name holds signs that cannot be shown. Please type it anew.")
    return name
