"""Teams as CSV: down as a line a student, and back up as a plan. An address, a login or a name says who; a team's name says where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from courses.models import Offering
from projects.teams.details import name_or_refusal
from projects.teams.membership import folded
from projects.teams.people import Directory
from projects.teams.planning import Plan, Snapshot, Target, plan_of
from projects.teams.rules import TeamRefused
from projects.teams.selectors import students_of, teams_by_member
from reviews.sheets.parse import Line, SheetRefused, Table

OUT = "-"  # no team can be called so
# how other programs call these columns, without signs and spaces
WHO = ("email", "emailaddress", "mail", "address", "loginid", "login", "sisloginid", "netid", "username", "id", "student",
       "name", "studentname", "fullname", "sortname", "person", "member")  # fmt: skip
GIVEN, FAMILY = ("firstname", "givenname", "given", "first"), ("lastname", "familyname", "surname", "family", "last")
TEAM = ("team", "teamname", "projectteam", "group", "groupname", "projectgroup")


@dataclass(frozen=True)
class Problem:
    """A line that cannot be: its number as a spreadsheet shows it, and what is wrong."""

    row: int
    text: str


@dataclass(frozen=True)
class TeamSheet:
    """What a file would change. It can be applied when something moves and no line is wrong."""

    plan: Plan
    problems: tuple[Problem, ...]
    unchanged: int
    ignored: tuple[str, ...]

    @property
    def can_apply(self) -> bool:
        """Whether there is something to store, and nothing to mend first."""
        return bool(self.plan.moves) and not self.problems


def team_table(offering: Offering) -> list[Sequence[object]]:
    """A line a student, in the order of the class list; one without a team has an empty cell. Two queries."""
    teams = teams_by_member(offering)
    rows: list[Sequence[object]] = [("email", "name", "team", "kind", "topic")]
    for student in students_of(offering):
        team = teams.get(student.pk)
        told = (team.name, team.get_kind_display() if team.kind else "", team.topic) if team else ("", "", "")
        rows.append((student.user.email, student.user.name, *told))
    return rows


def read_teams(now: Snapshot, table: Table) -> TeamSheet:
    """Compare the file with the class; raises `SheetRefused` where no column says who, or none says which team."""
    return _Reading(now, table).run()


class _Reading:
    """One file against one class."""

    def __init__(self, now: Snapshot, table: Table) -> None:
        self._now, self._table = now, table
        names = {column: re.sub(r"[^a-z]", "", column.casefold()) for column in table.columns}
        self._who = [column for column, name in names.items() if name in WHO]
        self._given = [column for column, name in names.items() if name in GIVEN][:1]
        self._family = [column for column, name in names.items() if name in FAMILY][:1]
        self._team = next((column for column, name in names.items() if name in TEAM), "")
        if not self._team:
            raise SheetRefused(
                "The file has no column “team”, so it says nobody's team. Name the column and send it again."
            )
        if not self._who and not (self._given and self._family):
            raise SheetRefused("The file has neither a column “email” nor a column “name”, so it names nobody.")
        self._people = Directory(now.students.values())
        self._teams = {folded(team.name): pk for pk, team in now.teams.items()}
        self._new: dict[str, str] = {}
        self._seen: dict[int, int] = {}

    def run(self) -> TeamSheet:
        """Every line, in order."""
        wanted: dict[int, Target] = {}
        problems, unchanged = [], 0
        for line in self._table.lines:
            try:
                student, target = self._read(line)
            except TeamRefused as wrong:
                problems.append(Problem(line.number, str(wrong)))
                continue
            if target is None:
                unchanged += 1
            else:
                wanted[student] = target
        plan = plan_of(self._now, wanted)
        read = {*self._who, *self._given, *self._family, self._team}
        return TeamSheet(
            plan=plan,
            problems=tuple(problems),
            unchanged=unchanged + len(wanted) - len(plan.moves),
            ignored=tuple(name for name in self._table.columns if name and name not in read),
        )

    def _read(self, line: Line) -> tuple[int, Target | None]:
        """Who, and where to; None for an empty cell, which leaves the student where they are."""
        student = self._student(line)
        if (earlier := self._seen.setdefault(student, line.number)) != line.number:
            raise TeamRefused(f"names the same person as row {earlier}. Keep one of the two.")
        name = " ".join(line.cells.get(self._team, "").split())
        return student, (self._target(name) if name else None)

    def _student(self, line: Line) -> int:
        """An address counts before a login or a name, whatever the order of the columns."""
        given = [line.cells.get(column, "").strip() for column in self._who]
        both = " ".join(line.cells.get(column, "").strip() for column in (*self._given, *self._family)).strip()
        cells = sorted(filter(None, (*given, both)), key=lambda cell: "@" not in cell)
        if not cells:
            raise TeamRefused("names nobody. Fill in the e-mail address, or remove the line.")
        found = {self._people.find(cells[0]).pk} if "@" in cells[0] else self._named(cells)
        if len(found) > 1:
            raise TeamRefused(f"names two people: {' and '.join(cells)}. Correct one of them.")
        return found.pop()

    def _named(self, cells: list[str]) -> set[int]:
        """Whom the cells name without an address. A number of another program beside a name is not held against it."""
        found, refused = set(), None
        for cell in cells:
            try:
                found.add(self._people.find(cell).pk)
            except TeamRefused as wrong:
                refused = refused or wrong
        if not found and refused is not None:
            raise refused
        return found

    def _target(self, name: str) -> Target:
        if name == OUT:
            return Target()
        if (pk := self._teams.get(folded(name))) is not None:
            return Target(pk)
        return Target(new=self._new.setdefault(folded(name), name_or_refusal(name)))
