"""Opening, extending and closing the check-in of a session. One at a time a session: whoever opens it again gets the one that is open."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import User
from attendance.codes import new_secret
from attendance.models import CheckInWindow
from attendance.scores import rules_of
from audit.services import record
from config import clock
from courses.models import Session

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=3)


class WindowRefused(Exception):  # noqa: N818 - an answer to staff, not a fault
    """Why a check-in is not opened or extended. Nothing was changed."""


@transaction.atomic
def open_window(*, session: Session, minutes: int, by: User) -> CheckInWindow:
    """Open the check-in for so many minutes, with a secret of its own. From now on the session counts.

    Raises `WindowRefused` for a session that has not come yet or was left out, and for a length out of bounds.
    """
    session, now = _locked(session), clock.now()
    _check(session, now)
    length = timedelta(minutes=minutes)
    if not SHORTEST <= length <= LONGEST:
        raise WindowRefused("A check-in is open for 1 to 180 minutes. Please give another number.")
    if (standing := session.check_in_windows.open_at(now).first()) is not None:
        return standing
    made = CheckInWindow.objects.create(
        session=session,
        secret=new_secret(),
        every_s=rules_of(session.offering).code_every_s,
        opened_at=now,
        opened_by=by,
        closes_at=now + length,
    )
    _record(made, by, "opened a check-in", after=_line(made))
    return made


@transaction.atomic
def extend_window(*, session: Session, minutes: int, by: User) -> CheckInWindow:
    """Let the open check-in stand longer; raises `WindowRefused` where none is open, or where it would be open for too long."""
    session, now = _locked(session), clock.now()
    window = session.check_in_windows.open_at(now).first()
    if window is None:
        raise WindowRefused("No check-in is open in this session any more. Open a new one: those who are in stay in.")
    later = window.closes_at + timedelta(minutes=minutes)
    if minutes < 1 or later - now > LONGEST:
        raise WindowRefused("A check-in may stand for 3 hours more at most. Please extend it by less.")
    before, window.closes_at = _line(window), later
    window.save(update_fields=["closes_at"])
    _record(window, by, "extended a check-in", before=before, after=_line(window))
    return window


@transaction.atomic
def close_window(*, session: Session, by: User) -> CheckInWindow | None:
    """Close the open check-in now; None where none is open.

    One in which nobody has checked in was opened by mistake: it is removed, so that the session does not count because of it.
    """
    session, now = _locked(session), clock.now()
    window = session.check_in_windows.open_at(now).first()
    if window is None:
        return None
    before = _line(window)
    if not window.attendances.exists():
        _record(window, by, "took back a check-in", before=before, after="nobody had checked in")
        window.delete()
        return None
    window.closes_at = now
    window.save(update_fields=["closes_at"])
    _record(window, by, "closed a check-in", before=before, after=_line(window))
    return window


def _locked(session: Session) -> Session:
    """The session's row, so that acts on its check-in follow one another."""
    return Session.objects.select_for_update(of=("self",)).select_related("offering", "left_out").get(pk=session.pk)


def _check(session: Session, now: datetime) -> None:
    if session.offering.day_of(now) < session.date:
        raise WindowRefused(
            "This session has not come yet, and opening its check-in would count everyone as absent. "
            "Students who will be away can be excused in advance."
        )
    if hasattr(session, "left_out"):
        raise WindowRefused("This session was left out, so it counts for nobody. Let it count again first.")


def _line(window: CheckInWindow) -> str:
    zone = window.session.offering.zone
    opened, closes = (moment.astimezone(zone) for moment in (window.opened_at, window.closes_at))
    return f"{window.session}: {opened:%H:%M:%S} to {closes:%H:%M:%S}"


def _record(window: CheckInWindow, by: User, action: str, *, before: str = "", after: str = "") -> None:
    offering_id = window.session.offering_id
    record(actor=by, action=action, subject=window, offering_id=offering_id, before=before, after=after)
