"""What a change of many teams comes to, before anybody makes it: who moves, which teams begin and end, what size they have then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from courses.models import Enrollment, Offering
from projects.teams.models import Team, TeamRules
from projects.teams.rules import rules_of
from projects.teams.selectors import students_of, teams_by_member


@dataclass(frozen=True)
class Target:
    """Where a student is to be: in a team that there is, in a new one of this name, or in none."""

    team: int | None = None
    new: str = ""


@dataclass(frozen=True)
class Planned:
    """One student's way, as it is signed and stored: from which team (None: from none) to where."""

    student: int
    source: int | None
    target: Target


@dataclass(frozen=True)
class Move:
    """The same for a page. Without a name there is no team on that side."""

    student: Enrollment
    before: str
    after: str


@dataclass(frozen=True)
class TeamAfter:
    """A team that somebody joins or leaves, with its size before and after. `excused`: staff have allowed its size."""

    name: str
    before: int
    after: int
    excused: bool = False

    @property
    def is_new(self) -> bool:
        """Nobody was in it."""
        return self.before == 0

    @property
    def ends(self) -> bool:
        """Nobody is left in it, so it is disbanded."""
        return self.after == 0


@dataclass(frozen=True)
class Plan:
    """All of it, for one page and one act."""

    planned: tuple[Planned, ...]
    moves: tuple[Move, ...]
    teams: tuple[TeamAfter, ...]
    rules: TeamRules

    @property
    def too_large(self) -> tuple[TeamAfter, ...]:
        """Teams that grow beyond what the rules allow, and nobody has excused it yet."""
        return tuple(
            team for team in self.teams if team.after > max(team.before, self.rules.largest) and not team.excused
        )

    @property
    def too_small(self) -> tuple[TeamAfter, ...]:
        """Teams that go on with too few."""
        return tuple(team for team in self.teams if 0 < team.after < self.rules.smallest and not team.excused)


@dataclass(frozen=True)
class Snapshot:
    """The class as it stands: its students, the teams that there are, and who is in which."""

    rules: TeamRules
    students: Mapping[int, Enrollment]
    teams: Mapping[int, Team]
    team_of: Mapping[int, Team]


def snapshot_of(offering: Offering) -> Snapshot:
    """Four queries."""
    return Snapshot(
        rules=rules_of(offering),
        students={student.pk: student for student in students_of(offering)},
        teams={team.pk: team for team in Team.objects.standing().filter(offering=offering)},
        team_of=teams_by_member(offering),
    )


def plan_of(now: Snapshot, wanted: Mapping[int, Target]) -> Plan:
    """What comes of it when these students, by enrollment id, are where they are wanted. Who is there already does not move."""
    planned = tuple(
        Planned(student, source.pk if source else None, target)
        for student, target in wanted.items()
        for source in (now.team_of.get(student),)
        if target.new or target.team != (source.pk if source else None)
    )
    return Plan(planned, tuple(_move(now, row) for row in planned), _after(now, planned), now.rules)


def _move(now: Snapshot, row: Planned) -> Move:
    before = now.teams[row.source].name if row.source else ""
    after = now.teams[row.target.team].name if row.target.team else row.target.new
    return Move(now.students[row.student], before, after)


def _after(now: Snapshot, planned: Iterable[Planned]) -> tuple[TeamAfter, ...]:
    sizes = Counter(team.pk for student, team in now.team_of.items() if student in now.students)
    leaving, coming, new = Counter[int](), Counter[int](), Counter[str]()
    for row in planned:
        leaving.update([row.source] if row.source else [])
        coming.update([row.target.team] if row.target.team else [])
        new.update([row.target.new] if row.target.new else [])
    touched = sorted((now.teams[pk] for pk in {*leaving, *coming}), key=lambda team: (team.name.casefold(), team.pk))
    stay = [
        TeamAfter(
            team.name, sizes[team.pk], sizes[team.pk] - leaving[team.pk] + coming[team.pk], bool(team.size_exception)
        )
        for team in touched
    ]
    return (*stay, *(TeamAfter(name, 0, count) for name, count in sorted(new.items())))
