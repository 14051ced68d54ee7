"""What a typed code is: right, or wrong in one of several ways, each of which is a sentence of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import date_format

from attendance.codes import ALPHABET, LENGTH, changes_at, is_code, shown_at, step_at
from attendance.models import CheckInWindow
from courses.models import Offering, Session

# how far back a code is recognised as one of another session
REMEMBERED = timedelta(days=14)


class CheckInRefused(Exception):  # noqa: N818 - an answer to a student, not a fault
    """Why nobody was checked in; the text says what to do."""


@dataclass(frozen=True)
class Shown:
    """A window that showed the code, and at which of its steps."""

    window: CheckInWindow
    step: int


def find(offering: Offering, code: str, moment: datetime) -> CheckInWindow:
    """The open window whose current or previous code this is; raises `CheckInRefused` with what it is instead. One query."""
    if not is_code(code):
        raise CheckInRefused(
            f"That is no code: a code has {LENGTH} letters, without vowels, digits and L. Type the one on the screen."
        )
    windows = _windows(offering, moment)
    shown = _shown(windows, code)
    if shown and shown.window.is_open(moment) and shown.step in _accepted(shown.window, moment):
        return shown.window
    raise CheckInRefused(_sentence(shown, [window for window in windows if window.is_open(moment)], windows, moment))


def _windows(offering: Offering, moment: datetime) -> list[CheckInWindow]:
    """The newest first, so that the code of one that is open is found at once."""
    recent = CheckInWindow.objects.filter(session__offering=offering, closes_at__gt=moment - REMEMBERED)
    return list(recent.filter(opened_at__lte=moment).select_related("session__offering").order_by("-opened_at", "-pk"))


def _shown(windows: Sequence[CheckInWindow], code: str) -> Shown | None:
    for window in windows:
        if (step := shown_at(window, code)) is not None:
            return Shown(window, step)
    return None


def _accepted(window: CheckInWindow, moment: datetime) -> range:
    now = step_at(window, moment)
    return range(now - 1, now + 1)


def _sentence(
    shown: Shown | None, opened: Sequence[CheckInWindow], windows: Sequence[CheckInWindow], moment: datetime
) -> str:
    sessions = {window.session_id for window in opened}
    if shown is None or (shown.window.is_open(moment) and shown.step > step_at(shown.window, moment)):
        return _wrong(opened)
    if shown.window.session_id in sessions:
        return "That code has run out: the screen shows another one now. Type that one, or scan the picture again."
    if not opened and shown.window.session_id == windows[0].session_id:
        return closed(shown.window)
    return (
        f"That is a code of another session, {name_of(shown.window.session)}, so it does not count here. "
        f"{'Type the one on the screen.' if opened else 'No check-in is open now.'}"
    )


def _wrong(opened: Sequence[CheckInWindow]) -> str:
    if not opened:
        return "No check-in is open now, so no code counts. If you sit in class, ask your instructor to open it."
    letters = f"{ALPHABET[:3]} {ALPHABET[3:6]}"
    return (
        f"That is not the code on the screen. Compare it letter by letter: a code looks like {letters}, "
        "and changes while you look. Then type the one that is there now."
    )


def closed(window: CheckInWindow) -> str:
    """What someone is told who comes too late."""
    zone = window.session.offering.zone
    return (
        f"The check-in of {name_of(window.session)} closed at {window.closes_at.astimezone(zone):%H:%M:%S}. "
        "If you are in class, tell your instructor, who can open it again or record you."
    )


def name_of(session: Session) -> str:
    """A session as sentences name it: “AutoDiff” on Thu 29 Jan."""
    return f"“{session.topic}” on {date_format(session.date, 'D j M')}"


def until(window: CheckInWindow, moment: datetime) -> datetime:
    """Until when the code of this moment is on the screen, which the window's end may cut short."""
    return min(changes_at(window, moment), window.closes_at)
