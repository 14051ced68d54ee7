"""What staff record of students in sessions, and which sessions are left out. Each act is whole; each change has a line in the trail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from accounts.models import User
from attendance.models import Attendance, LeftOut, Presence
from audit.services import record
from config import clock
from courses.models import Enrollment, Session

REASON_MIN, REASON_MAX = 3, 2000
MOST_CELLS = 3000
Cell = tuple[int, int]


class RecordRefused(Exception):  # noqa: N818 - an answer to staff, not a fault
    """Why nothing was recorded; the text says what to do."""


@dataclass(frozen=True)
class Recorded:
    """How many cells of the grid changed, and how many said the same before."""

    changed: int
    same: int


@transaction.atomic
def record_presence(
    *, sessions: Sequence[Session], enrollments: Sequence[Enrollment], presence: Presence | None, reason: str, by: User
) -> Recorded:
    """Record these students in these sessions as present, absent or excused, or (None) as if nothing had been recorded.

    What a code or another correction said is replaced; who is recorded the same way already keeps the row. Raises `RecordRefused`.
    """
    reason = checked_reason(reason)
    if len(sessions) * len(enrollments) > MOST_CELLS:
        raise RecordRefused(
            f"That is more than {MOST_CELLS} records at once. Please choose fewer sessions or students."
        )
    _check_present(sessions, presence)
    standing = _standing(sessions, enrollments)
    pairs = [(session, enrollment) for session in sessions for enrollment in enrollments]
    fresh = [pair for pair in pairs if _presence(standing.get(_key(*pair))) != presence]
    if presence is None:
        _clear([row for pair in fresh if (row := standing.get(_key(*pair)))], reason, by)
    else:
        _set(fresh, standing, presence, reason, by)
    return Recorded(len(fresh), len(pairs) - len(fresh))


@transaction.atomic
def leave_out(*, session: Session, reason: str, by: User) -> bool:
    """Let the session count for nobody; False when it was left out already. Raises `RecordRefused` without a reason."""
    reason = checked_reason(reason)
    made, created = LeftOut.objects.get_or_create(
        session=session, defaults={"reason": reason, "left_out_at": clock.now(), "left_out_by": by}
    )
    if created:
        _record(
            made,
            session,
            by,
            "left a session out",
            before=f"{session}: counts",
            after=f"{session}: left out",
            why=reason,
        )
    return created


@transaction.atomic
def put_back(*, session: Session, by: User) -> bool:
    """Let the session count again, with all that was recorded in it; False when it was not left out."""
    row = LeftOut.objects.select_for_update().filter(session=session).first()
    if row is None:
        return False
    _record(
        row,
        session,
        by,
        "put a session back",
        before=f"{session}: left out",
        after=f"{session}: counts",
        why=row.reason,
    )
    row.delete()
    return True


def checked_reason(reason: str) -> str:
    """The reason without its margins; raises `RecordRefused` for one that says nothing."""
    tidy = reason.strip()
    if len(tidy) < REASON_MIN:
        raise RecordRefused("Please give a reason of at least 3 letters: the student reads it, and the log keeps it.")
    if len(tidy) > REASON_MAX:
        raise RecordRefused("Please keep the reason below 2,000 characters.")
    return tidy


def _check_present(sessions: Sequence[Session], presence: Presence | None) -> None:
    """Nobody was in a class that has not come, and nobody missed it."""
    if presence is None or presence == Presence.EXCUSED:
        return
    now = clock.now()
    coming = [session for session in sessions if session.date > session.offering.day_of(now)]
    if coming:
        raise RecordRefused(
            f"The class on {coming[0].date:%-d %B} has not come yet, so nobody was present or absent. "
            "You can excuse students from it in advance."
        )


def _standing(sessions: Sequence[Session], enrollments: Sequence[Enrollment]) -> dict[Cell, Attendance]:
    """What is recorded, locked in one order until the end of the act."""
    rows = Attendance.objects.select_for_update(of=("self",)).filter(session__in=sessions, enrollment__in=enrollments)
    return {(row.session_id, row.enrollment_id): row for row in rows.order_by("pk")}


def _set(
    pairs: Iterable[tuple[Session, Enrollment]],
    standing: dict[Cell, Attendance],
    presence: Presence,
    reason: str,
    by: User,
) -> None:
    """One statement for all cells: a check-in that comes at the same moment is replaced, and never meets an error."""
    wanted = {
        _key(*pair): Attendance(
            session=pair[0],
            enrollment=pair[1],
            presence=presence,
            recorded_at=clock.now(),
            recorded_by=by,
            reason=reason,
        )
        for pair in pairs
    }
    fields = ["presence", "window", "recorded_at", "recorded_by", "reason"]
    unique = ["session", "enrollment"]
    made = Attendance.objects.bulk_create(
        wanted.values(), update_conflicts=True, unique_fields=unique, update_fields=fields
    )
    for row in made:
        before = _line(standing.get((row.session_id, row.enrollment_id)), row)
        _record(row, row.session, by, "recorded attendance", before=before, after=_line(row, row), why=reason)


def _clear(rows: Sequence[Attendance], reason: str, by: User) -> None:
    for row in rows:
        before, after = _line(row, row), _line(None, row)
        _record(row, row.session, by, "removed a record of attendance", before=before, after=after, why=reason)
    Attendance.objects.filter(pk__in=[row.pk for row in rows]).delete()


def _key(session: Session, enrollment: Enrollment) -> Cell:
    return session.pk, enrollment.pk


def _presence(row: Attendance | None) -> str | None:
    return row.presence if row else None


def _line(row: Attendance | None, of: Attendance) -> str:
    """Who is recorded as what in which session, as the trail keeps it."""
    how = "nothing recorded" if row is None else Presence(row.presence).label
    by_code = ", by the code" if row is not None and row.window_id else ""
    return f"{of.enrollment.user.name}, {of.session}: {how}{by_code}"


def _record(
    row: Attendance | LeftOut, session: Session, by: User, action: str, *, before: str, after: str, why: str
) -> None:
    record(
        actor=by,
        action=action,
        subject=row,
        offering_id=session.offering_id,
        before=before,
        after=after,
        reason=why,
    )
