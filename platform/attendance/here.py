"""The page on a student's phone: type the code, or see that you are in."""

from __future__ import annotations

from dataclasses import dataclass

from attendance.check_in import present_now
from attendance.codes import ALPHABET, LENGTH, is_code, spaced, tidy
from attendance.models import Attendance
from attendance.sessions import SessionState, open_sessions, session_states
from config import clock
from courses.models import Enrollment


@dataclass(frozen=True)
class HerePage:
    """`present` are the student's rows in sessions that are open, `missing` those of them in which they are not in yet.

    `send`: a scanned code stands in the form and goes off by itself.
    """

    present: tuple[Attendance, ...]
    open_now: tuple[SessionState, ...]
    missing: tuple[SessionState, ...]
    code: str
    send: bool
    refusal: str
    example: str = f"{ALPHABET[: LENGTH // 2]} {ALPHABET[LENGTH // 2 : LENGTH]}"


def here_page(student: Enrollment, *, scanned: str = "", typed: str = "", refusal: str = "") -> HerePage:
    """The page with a scanned code, or with what was typed and why it did not count. Two queries."""
    now, code = clock.now(), tidy(scanned)
    present = tuple(present_now(student, now))
    open_now = tuple(open_sessions(session_states(student.offering, now)))
    there = {row.session_id for row in present}
    missing = tuple(state for state in open_now if state.session.pk not in there)
    return HerePage(
        present=present,
        open_now=open_now,
        missing=missing,
        code=spaced(code) if is_code(code) else (typed or scanned)[:60],
        send=is_code(code) and (bool(missing) or not present),
        refusal=refusal,
    )
