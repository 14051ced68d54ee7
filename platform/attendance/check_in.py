"""A student checks in by the code on the screen: once a session, however often the button is pressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from attendance import throttle
from attendance.codes import tidy
from attendance.finding import CheckInRefused, find, name_of
from attendance.models import Attendance, CheckInWindow, LeftOut, Presence
from audit.services import record
from config import clock
from courses.models import Enrollment, Session

# how long someone who scanned the picture may take to sign in
SCAN_COUNTS_FOR = timedelta(minutes=5)


@dataclass(frozen=True)
class CheckedIn:
    """The row by which the student is present; `again` when it was there before."""

    attendance: Attendance
    again: bool


def check_in(*, enrollment: Enrollment, code: str, address: str, scanned_at: datetime | None = None) -> CheckedIn:
    """Record the student as present in the session whose screen shows this code.

    `scanned_at` is when someone who was not signed in opened the address with the code, as the server noted it: the code is read as of
    then, for `SCAN_COUNTS_FOR`. Raises `CheckInRefused` with what is wrong and what to do.
    """
    now = clock.now()
    if (here := present_now(enrollment, now)) and not _open_elsewhere(enrollment, here, now):
        return CheckedIn(here[0], again=True)
    if not throttle.may_try(enrollment.pk, address):
        raise CheckInRefused(throttle.sentence())
    window = find(enrollment.offering, tidy(code), _moment(now, scanned_at))
    throttle.give_back(address)
    if LeftOut.objects.filter(session=window.session_id).exists():
        raise CheckInRefused(f"{name_of(window.session)} does not count, so nobody checks in to it.")
    return _present(enrollment, window, now)


def present_now(enrollment: Enrollment, now: datetime) -> list[Attendance]:
    """How the student stands as present in sessions whose check-in is open, the last one first; empty where they are not in yet."""
    found = Attendance.objects.filter(enrollment=enrollment, presence=Presence.PRESENT)
    found = found.filter(session__in=CheckInWindow.objects.open_at(now).values("session"))
    return list(found.select_related("session").order_by("-pk"))


def _open_elsewhere(enrollment: Enrollment, here: Sequence[Attendance], now: datetime) -> bool:
    """Whether a check-in is open in another session, too, for which a code may be meant."""
    opened = CheckInWindow.objects.open_at(now).filter(session__offering=enrollment.offering_id, session__left_out=None)
    return opened.exclude(session__in=[row.session_id for row in here]).exists()


def _moment(now: datetime, scanned_at: datetime | None) -> datetime:
    """The moment as of which a code is read."""
    if scanned_at is None or not timedelta(0) <= now - scanned_at <= SCAN_COUNTS_FOR:
        return now
    return scanned_at


@transaction.atomic
def _present(enrollment: Enrollment, window: CheckInWindow, now: datetime) -> CheckedIn:
    """The constraint decides between two taps: the second finds the first one's row. Staff's corrections wait for the lock.

    The session is held meanwhile: a check-in that is closed at this moment is closed before, or with this student in it.
    """
    Session.objects.select_for_update(no_key=True).get(pk=window.session_id)
    if not CheckInWindow.objects.filter(pk=window.pk).exists():
        raise CheckInRefused(
            f"The check-in of {name_of(window.session)} was closed at this moment. "
            "If you are in class, tell your instructor, who can open it again or record you."
        )
    row, made = Attendance.objects.select_for_update().get_or_create(
        session=window.session,
        enrollment=enrollment,
        defaults={"presence": Presence.PRESENT, "window": window, "recorded_at": now},
    )
    if made:
        return CheckedIn(row, again=False)
    if row.presence == Presence.ABSENT:
        raise CheckInRefused(
            f"Course staff recorded you as absent from {name_of(window.session)}: “{row.reason}”. "
            "A code does not change that. If it is wrong, tell them."
        )
    return _came_though_excused(row, window, now) if row.presence == Presence.EXCUSED else CheckedIn(row, again=True)


def _came_though_excused(row: Attendance, window: CheckInWindow, now: datetime) -> CheckedIn:
    """An excuse is no ban: who comes is present."""
    before = f"{row.enrollment.user.name}, {window.session}: {Presence.EXCUSED.label}: {row.reason}"
    row.presence, row.window, row.recorded_at = Presence.PRESENT, window, now
    row.recorded_by, row.reason = None, ""
    row.save(update_fields=["presence", "window", "recorded_at", "recorded_by", "reason"])
    record(
        actor=row.enrollment.user,
        action="checked in though excused",
        subject=row,
        offering_id=row.enrollment.offering_id,
        before=before,
        after=f"{row.enrollment.user.name}, {window.session}: {Presence.PRESENT.label}, by the code",
    )
    return CheckedIn(row, again=False)
