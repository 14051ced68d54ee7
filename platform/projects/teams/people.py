"""Finding a student by what people type or what stands in a file: an address, a login, a name in either order."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from courses.models import Enrollment
from projects.teams.membership import folded
from projects.teams.rules import TeamRefused


class Directory:
    """The students of an offering, each with their user."""

    def __init__(self, students: Iterable[Enrollment]) -> None:
        self._addresses: dict[str, Enrollment] = {}
        self._exact: dict[str, list[Enrollment]] = defaultdict(list)
        self._loose: dict[str, list[Enrollment]] = defaultdict(list)
        for student in students:
            user = student.user
            self._addresses |= {key.casefold(): student for key in (user.email, student.sis_login) if key}
            for name in {folded(user.name), folded(user.sort_name)}:
                self._exact[name].append(student)
            for name in {_loose(user.name), _loose(user.sort_name)}:
                self._loose[name].append(student)

    def find(self, text: str) -> Enrollment:
        """The one student who is meant; raises `TeamRefused` where that is nobody, or more than one."""
        wanted = text.strip()
        if (student := self._addresses.get(wanted.casefold())) is not None:
            return student
        named = self._exact.get(folded(wanted)) or self._loose.get(_loose(wanted)) or []
        if len(named) == 1:
            return named[0]
        shown = wanted[:80]
        if named:
            raise TeamRefused(f"{len(named)} students are called “{shown}”. Give the e-mail address instead.")
        raise TeamRefused(f"“{shown}” is no student of this course. Give the whole name, or the e-mail address.")


def _loose(name: str) -> str:
    """Without accents, commas and case; "Hernández, Mateo" and "hernandez mateo" are one."""
    letters = unicodedata.normalize("NFKD", name.replace(",", " "))
    return folded("".join(letter for letter in letters if not unicodedata.combining(letter)))
