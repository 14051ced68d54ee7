"""What other parts ask: whether the grades are frozen, and what they are then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from courses.models import Offering
from gradebook.freezing.frozen import Frozen, read
from gradebook.models import Snapshot


@dataclass(frozen=True)
class FrozenGrades:
    """The final grades of an offering, from its snapshot: `content.students[enrollment_pk]` has both scores and the letter."""

    snapshot_pk: int
    sha256: str
    taken_at: datetime
    taken_by: str
    note: str
    content: Frozen


def freeze_of(offering: Offering) -> Snapshot | None:
    """The snapshot that freezes the grades now, without its content. One query."""
    freezes = Snapshot.objects.filter(offering=offering, final=True, lifted_at=None)
    return freezes.select_related("taken_by").defer("data").first()


def final_of(offering: Offering) -> FrozenGrades | None:
    """The frozen grades, which are shown everywhere while they stand; None while the grades are not frozen. One query."""
    snapshot = Snapshot.objects.filter(offering=offering, final=True, lifted_at=None).select_related("taken_by").first()
    if snapshot is None:
        return None
    return FrozenGrades(
        snapshot_pk=snapshot.pk,
        sha256=snapshot.sha256,
        taken_at=snapshot.taken_at,
        taken_by=str(snapshot.taken_by or "Course staff"),
        note=snapshot.note,
        content=read(snapshot.data),
    )
