"""Attendance of every session that has come: most are there, some are excused, one class was cancelled; and points for taking part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random

from accounts.models import User
from attendance.codes import new_secret
from attendance.models import Attendance, AttendanceRules, CheckInWindow, LeftOut, ParticipationPoint, Presence
from config import clock
from courses.models import Enrollment, Offering, Session
from web.seed.people import INSTRUCTOR, TAS, address

BEGINS = time(15, 30)
OPEN_FOR = timedelta(minutes=10)
FREE_ABSENCES, PARTICIPATION_SHARE, PARTICIPATION_TARGET = 2, 20, Decimal(4)
CANCELLED = (3, "Cancelled: the building was closed by snow.")  # which of the sessions that have come
NEVER_LATE = 0  # the place in the class list of the student whom the guides show
AWAY_LAST_TIME = (-1, -2, -3)  # places of those who missed the last session: a demo may check them in
EXCUSES = (
    "Ill; wrote before class.",
    "At a conference with the research group.",
    "A religious holiday.",
    "Interview on the other side of the country.",
)
TAKING_PART = (
    "Explained the chain rule at the board.",
    "A question that changed the discussion.",
    "Found the mistake on slide 14.",
    "Compared the figures of two papers.",
    "Took part in class",
)


def seed_attendance(offering: Offering, students: Sequence[Enrollment]) -> int:
    """Fill the sessions that have come; returns how many records were made. A second time makes none."""
    past = list(offering.sessions.filter(date__lt=offering.day_of(clock.now())).order_by("date", "number"))
    if not past or Attendance.objects.filter(session__offering=offering).exists():
        return 0
    AttendanceRules.objects.get_or_create(
        offering=offering,
        defaults={
            "free_absences": FREE_ABSENCES,
            "participation_share": PARTICIPATION_SHARE,
            "participation_target": PARTICIPATION_TARGET,
        },
    )
    random = Random(1530)  # noqa: S311 - the demo is the same every time
    comes = [1.0 if place == NEVER_LATE else random.choice((0.97, 0.93, 0.85, 0.6)) for place in range(len(students))]
    away = {students[place].pk for place in AWAY_LAST_TIME}
    for number, session in enumerate(past):
        here = [row for row, chance in zip(students, comes, strict=True) if random.random() < chance]
        if session == past[-1]:
            here = [row for row in here if row.pk not in away]
        if number == CANCELLED[0]:
            _leave_out(session)
        else:
            _take(session, students, here, random)
    return Attendance.objects.filter(session__offering=offering).count()


def _take(session: Session, students: Sequence[Enrollment], here: Sequence[Enrollment], random: Random) -> None:
    """Open the check-in, let those who are here come in, excuse some of the others, and give some points."""
    opened = datetime.combine(session.date, BEGINS, tzinfo=session.offering.zone)
    window = CheckInWindow.objects.create(
        session=session,
        secret=new_secret(),
        every_s=20,
        opened_at=opened,
        opened_by=User.objects.get(email=address(INSTRUCTOR)),
        closes_at=opened + OPEN_FOR,
    )
    present = {row.pk for row in here}
    missing = [row for row in students if row.pk not in present]
    Attendance.objects.bulk_create([*_checked_in(window, here, random), *_excused(session, missing, opened, random)])
    ParticipationPoint.objects.bulk_create(_points(session, here, opened, random))


def _checked_in(window: CheckInWindow, here: Sequence[Enrollment], random: Random) -> Iterator[Attendance]:
    for student in here:
        at = window.opened_at + timedelta(seconds=random.triangular(8, 580, 60))
        yield Attendance(
            session=window.session, enrollment=student, presence=Presence.PRESENT, window=window, recorded_at=at
        )


def _excused(session: Session, missing: Sequence[Enrollment], opened: datetime, random: Random) -> Iterator[Attendance]:
    ta = User.objects.get(email=address(TAS[0]))
    for student in missing:
        if random.random() < 0.25:
            yield Attendance(
                session=session,
                enrollment=student,
                presence=Presence.EXCUSED,
                recorded_at=opened - timedelta(days=random.randrange(1, 4), minutes=random.randrange(360)),
                recorded_by=ta,
                reason=random.choice(EXCUSES),
            )


def _points(
    session: Session, here: Sequence[Enrollment], opened: datetime, random: Random
) -> Iterator[ParticipationPoint]:
    ta = User.objects.get(email=address(TAS[1]))
    for student in random.sample(list(here), k=min(9, len(here))):
        yield ParticipationPoint(
            enrollment=student,
            session=session,
            points=Decimal(random.choice(("1", "1", "1", "0.5", "2"))),
            reason=random.choice(TAKING_PART),
            given_at=opened + timedelta(minutes=random.randrange(12, 70)),
            given_by=ta,
        )


def _leave_out(session: Session) -> None:
    at = datetime.combine(session.date, time(9), tzinfo=session.offering.zone)
    by = User.objects.get(email=address(INSTRUCTOR))
    LeftOut.objects.create(session=session, reason=CANCELLED[1], left_out_at=at, left_out_by=by)
