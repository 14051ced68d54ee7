"""A class that meets today at half past three, by a clock that stands still until it is set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from attendance.models import CheckInWindow
from courses.models import Enrollment, Offering, Session
from tests.factories import SessionFactory, check_in_window

START = datetime(2026, 2, 3, 21, 30, tzinfo=UTC)  # 15:30 in Chicago


@dataclass(frozen=True)
class Class:
    """An offering in class, and the clock of the room."""

    offering: Offering
    session: Session
    student: Enrollment
    classmate: Enrollment
    ta: Enrollment
    instructor: Enrollment
    at: object

    def after(self, seconds: float) -> datetime:
        """Set the clock so many seconds after the class began."""
        moment = START + timedelta(seconds=seconds)
        self.at(moment)
        return moment

    def window(self, session: Session | None = None, **options) -> CheckInWindow:
        """A check-in that opened when the class began."""
        return check_in_window(session or self.session, **{"opened_at": START} | options)


@pytest.fixture
def room(world, at) -> Class:
    at(START)
    session = SessionFactory(offering=world.offering, date=START.date(), topic="AutoDiff", week=1000)
    return Class(world.offering, session, world.student, world.classmate, world.ta, world.instructor, at)
