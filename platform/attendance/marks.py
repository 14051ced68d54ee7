"""How a student's presence in a session looks and reads."""

from __future__ import annotations

from dataclasses import dataclass

from attendance.models import Attendance, Presence
from attendance.sessions import SessionState
from courses.pages import ChipKind, StateChip


@dataclass(frozen=True)
class Mark:
    """A cell of the grid: a letter, its word, and the colour of its state."""

    letter: str
    word: str
    kind: ChipKind
    icon: str = ""

    @property
    def chip(self) -> StateChip:
        """The same as icon, word and colour."""
        return StateChip(self.kind, self.word, self.icon)


MARKS = {
    Presence.PRESENT.value: Mark("P", "Present", "pass"),
    Presence.ABSENT.value: Mark("A", "Absent", "fail"),
    Presence.EXCUSED.value: Mark("E", "Excused", "muted", "shield-check"),
}
NOTHING = Mark("·", "Not taken", "muted")
COMING = Mark("·", "Has not come yet", "muted", "clock")
LEFT_OUT = Mark("·", "Left out", "muted", "ban")
NOT_IN = Mark("·", "Not checked in yet", "run", "radio")


def mark_of(state: SessionState, presence: str | None) -> Mark:
    """What stands in the cell: without a record, absent where attendance was taken, and nothing where it was not."""
    if presence:
        return MARKS[presence]
    if state.left_out:
        return LEFT_OUT
    if state.open_until:
        return NOT_IN
    if state.coming:
        return COMING
    return MARKS[Presence.ABSENT.value] if state.taken else NOTHING


def how(row: Attendance | None, state: SessionState) -> str:
    """Where the presence comes from, for the line below it; moments stand beside it on the page."""
    if row is None:
        return "Not checked in" if state.counts and not state.open_until else ""
    if row.window_id:
        return "By the code"
    return f"“{row.reason}”" if row.reason else ""
