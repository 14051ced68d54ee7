"""The guides of docs/, shown inside the product."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.http import Http404

from web.handout import Handout, render_handout

GUIDES = {
    "student": "Student guide",
    "ta": "TA guide",
    "instructor": "Instructor guide",
    "operator": "Operator guide",
}


@dataclass(frozen=True)
class GuidePage:
    """One guide, and the (name, title) of each."""

    name: str
    title: str
    text: Handout
    guides: tuple[tuple[str, str], ...]


def get_guide(name: str) -> GuidePage:
    """The guide with this name; raises `Http404` for a name that is none, or a guide that is not written."""
    path = Path(settings.BASE_DIR) / "docs" / f"{name}.md"
    if name not in GUIDES or not path.is_file():
        raise Http404("There is no such guide.")
    text = render_handout(path.read_text(encoding="utf-8"))
    return GuidePage(name=name, title=GUIDES[name], text=text, guides=tuple(GUIDES.items()))
