"""What staff did about one student's team, as the student is told until they put it away."""

from __future__ import annotations

from dataclasses import dataclass

from config import clock
from courses.models import Enrollment
from projects.teams.models import Membership


@dataclass(frozen=True)
class Notice:
    """`text` says what happened; why stands in the membership's reason where staff said so."""

    membership: Membership
    text: str


def notices_of(enrollment: Enrollment) -> tuple[Notice, ...]:
    """What the student has not put away, the latest last. One query."""
    rows = Membership.objects.untold().filter(enrollment=enrollment)
    rows = rows.select_related("team", "placed_from", "placed_by", "removed_by")
    return tuple(Notice(row, _told(row)) for row in rows.order_by("joined_at", "pk"))


def put_away(*, enrollment: Enrollment) -> int:
    """The student has read them all; returns how many they were."""
    return Membership.objects.untold().filter(enrollment=enrollment).update(seen_at=clock.now())


def _told(row: Membership) -> str:
    if row.removed_by is not None:
        return f"{row.removed_by.name} of the course staff took you out of the team “{row.team.name}”."
    staff = row.placed_by.name if row.placed_by else "Somebody"
    before = f" You were in “{row.placed_from.name}” before." if row.placed_from else ""
    return f"{staff} of the course staff put you into the team “{row.team.name}”.{before}"
