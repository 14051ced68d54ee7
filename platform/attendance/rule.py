"""The rule by which presence and participation become a share of the component: pure, and in exact fractions.

    counted     = sessions in which attendance was taken, less those left out and those that the student is excused from
    attendance  = (counted - max(0, absent - free)) / counted
    participation = min(1, points / target)
    share       = attendance × (100 - p) % + participation × p %, where p is the participation share

So the free absences are forgiven first, and each one beyond them costs one session's part. Points beyond the target give nothing more.
There is no share while no session counts for the student, unless participation is the whole (p = 100): then sessions do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

WHOLE = Fraction(1)
NONE = Fraction(0)
COUNTED = (
    "A session counts once attendance was taken in it: a check-in was opened, or staff recorded somebody as present or absent. "
    "Sessions that were left out do not count, nor do those that a student is excused from."
)


@dataclass(frozen=True)
class Rule:
    """What the instructor sets: absences that cost nothing, percent that participation makes, points that give all of it."""

    free_absences: int
    participation_share: int
    participation_target: Fraction

    @property
    def sentences(self) -> tuple[str, ...]:
        """The rule, as every page says it."""
        return (COUNTED, self._absences, *((self._participation,) if self.participation_share else ()))

    @property
    def _absences(self) -> str:
        free = self.free_absences
        cost = "1 absence costs nothing" if free == 1 else f"{free} absences cost nothing"
        return (
            f"{cost}; each one beyond takes one session's part: "
            f"attendance = (counted − max(0, absent − {free})) ÷ counted."
        )

    @property
    def _participation(self) -> str:
        return (
            f"Participation makes {self.participation_share} % of the whole and attendance the rest. "
            f"{plain(self.participation_target)} points give all of it, and more give no more."
        )


@dataclass(frozen=True)
class Tally:
    """What was recorded of one student in the sessions that count for the class."""

    present: int = 0
    absent: int = 0
    excused: int = 0
    points: Fraction = NONE


@dataclass(frozen=True)
class ParticipationScore:
    """What attendance and participation make for one student, and all it was made of.

    `share` is 1 for everything; it is None, as `attendance` is, while no session counts. `free_used` of the absences cost nothing.
    """

    share: Fraction | None
    attendance: Fraction | None
    participation: Fraction
    present: int
    absent: int
    excused: int
    counted: int
    free_used: int
    points: Fraction
    rule: Rule

    @property
    def steps(self) -> tuple[str, ...]:
        """How the share came about, in sentences, from what was recorded to the result."""
        return tuple(filter(None, (self._attendance_step, self._participation_step, self._whole_step)))

    @property
    def _attendance_step(self) -> str:
        excused = f", {self.excused} excused and not counted" if self.excused else ""
        if self.attendance is None:
            return f"No session counts yet{excused}."
        absences = f"{self.absent} absence{'' if self.absent == 1 else 's'}, {self.free_used} of them free"
        return (
            f"Present in {self.present} of {self.counted} sessions that count{excused}; {absences if self.absent else 'no absence'}: "
            f"({self.counted} − {self.absent - self.free_used}) ÷ {self.counted} = {percent(self.attendance)}."
        )

    @property
    def _participation_step(self) -> str:
        target = plain(self.rule.participation_target)
        if self.rule.participation_share:
            return f"Participation: {plain(self.points)} of {target} points = {percent(self.participation)}."
        return f"{plain(self.points)} participation points; they count for nothing by this rule." if self.points else ""

    @property
    def _whole_step(self) -> str:
        part = self.rule.participation_share
        if not part or self.share is None:
            return ""
        attendance = (
            f"{100 - part} % × {percent(self.attendance)} + " if self.attendance is not None and part < 100 else ""
        )
        return f"Together: {attendance}{part} % × {percent(self.participation)} = {percent(self.share)}."


def score(tally: Tally, rule: Rule) -> ParticipationScore:
    """Apply the rule to what was recorded."""
    counted = tally.present + tally.absent
    free_used = min(tally.absent, rule.free_absences)
    attendance = Fraction(counted - (tally.absent - free_used), counted) if counted else None
    participation = min(WHOLE, tally.points / rule.participation_target)
    return ParticipationScore(
        share=_joined(attendance, participation, Fraction(rule.participation_share, 100)),
        attendance=attendance,
        participation=participation,
        present=tally.present,
        absent=tally.absent,
        excused=tally.excused,
        counted=counted,
        free_used=free_used,
        points=tally.points,
        rule=rule,
    )


def _joined(attendance: Fraction | None, participation: Fraction, part: Fraction) -> Fraction | None:
    if part == WHOLE:
        return participation
    return None if attendance is None else attendance * (1 - part) + participation * part


def percent(share: Fraction | None) -> str:
    """A share for people, with at most two decimals, halves away from zero: `96.77 %`; a dash for none."""
    return "–" if share is None else f"{plain(share * 100)} %"


def plain(value: Fraction) -> str:
    """A number with at most two decimals and no needless zeros, rounded from the exact fraction, halves away from zero."""
    cents = int(abs(value) * 100 + Fraction(1, 2))
    text = f"{cents // 100}.{cents % 100:02}".rstrip("0").rstrip(".")
    return f"−{text}" if value < 0 and cents else text
