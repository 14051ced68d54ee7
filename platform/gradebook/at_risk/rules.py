"""From what is known of a student to the reasons why staff are told. No database; each reason names its number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gradebook.numbers import plain


@dataclass(frozen=True)
class Rules:
    """When staff are told; None and False turn a rule off. As `gradebook.models.AtRiskRules` stores them."""

    score_below: Fraction | None = Fraction(60)
    missing_in_row: int | None = 2
    absences_beyond: int | None = 1
    idle_days: int | None = 14
    without_team: bool = True

    @property
    def sentences(self) -> tuple[str, ...]:
        """The rules that are on, in words."""
        told = []
        if self.score_below is not None:
            told.append(f"a score so far below {plain(self.score_below)} %")
        if self.missing_in_row is not None:
            told.append(f"{self.missing_in_row} or more pieces of work missing in a row, up to the latest that was due")
        if self.absences_beyond is not None:
            told.append(f"{self.absences_beyond} or more absences beyond the free ones")
        if self.idle_days is not None:
            told.append(
                f"no activity for {self.idle_days} days: nothing handed in, typed or signed in, and not seen in class"
            )
        if self.without_team:
            told.append("no team after teams are locked")
        return tuple(told)


@dataclass(frozen=True)
class Facts:
    """What is known of one student. `missing` are the titles of work missing in a row, the latest last; `idle_days` is None for
    someone who was never active; `absences` are those beyond the free ones; `no_team` holds after the lock alone.
    """

    score: Fraction | None
    missing: tuple[str, ...]
    absences: int
    idle_days: int | None
    no_team: bool


@dataclass(frozen=True)
class Reason:
    """Why staff are told of a student. `page` says where more of it stands."""

    page: str
    sentence: str


def reasons(facts: Facts, rules: Rules) -> tuple[Reason, ...]:
    """Every rule that holds for this student, the gravest kind first."""
    return tuple(_reasons(facts, rules))


def run_at_the_end(states: Sequence[tuple[str, bool]]) -> tuple[str, ...]:
    """Titles of the missing work at the end of `states` (title, is missing), which are in the order of due dates."""
    found: list[str] = []
    for title, is_missing in reversed(states):
        if not is_missing:
            break
        found.append(title)
    return tuple(reversed(found))


def _reasons(facts: Facts, rules: Rules) -> Iterator[Reason]:
    if rules.score_below is not None and facts.score is not None and facts.score < rules.score_below:
        yield Reason("grade", f"Score so far {plain(facts.score)} %, below {plain(rules.score_below)} %")
    if rules.missing_in_row and len(facts.missing) >= rules.missing_in_row:
        yield Reason("work", f"{len(facts.missing)} missing in a row: {_few(facts.missing)}")
    if rules.absences_beyond and facts.absences >= rules.absences_beyond:
        yield Reason("attendance", f"{facts.absences} absence{'s' if facts.absences > 1 else ''} beyond the free ones")
    if rules.idle_days is not None and (facts.idle_days is None or facts.idle_days >= rules.idle_days):
        told = "No activity at all" if facts.idle_days is None else f"No activity for {facts.idle_days} days"
        yield Reason("person", told)
    if rules.without_team and facts.no_team:
        yield Reason("teams", "No team, and teams are locked")


def _few(titles: Sequence[str]) -> str:
    """The latest three."""
    return f"{'… ' if len(titles) > 3 else ''}{', '.join(titles[-3:])}"
