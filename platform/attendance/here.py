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
    """`present` is the student's row in a session that is open; `send`: a scanned code stands in the form and goes off by itself."""

    present: Attendance | None
    open_now: tuple[SessionState, ...]
    code: str
    send: bool
    refusal: str
    example: str = f"{ALPHABET[: LENGTH // 2]} {ALPHABET[LENGTH // 2 : LENGTH]}"


def here_page(student: Enrollment, *, scanned: str = "", typed: str = "", refusal: str = "") -> HerePage:
    """The page with a scanned code, or with what was typed and why it did not count. Two queries."""
    now, code = clock.now(), tidy(scanned)
    present = present_now(student, now)
    return HerePage(
        present=present,
        open_now=tuple(open_sessions(session_states(student.offering, now))),
        code=spaced(code) if is_code(code) else (typed or scanned)[:60],
        send=is_code(code) and present is None,
        refusal=refusal,
    )
