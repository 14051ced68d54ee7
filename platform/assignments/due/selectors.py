"""Due dates as decided for students. Two queries, however many assignments or students there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from assignments.due.models import Accommodation, Extension
from assignments.due.rules import DueDate, ExtraTime, decide, together
from courses.models import Enrollment

if TYPE_CHECKING:
    from assignments.models import Assignment


@dataclass(frozen=True)
class Grants:
    """What stands for one student: extensions by assignment id, and extra time in the order in which it was granted."""

    extensions: dict[int, datetime] = field(default_factory=dict)
    extra: list[ExtraTime] = field(default_factory=list)

    def due_date(self, assignment: Assignment, zone: ZoneInfo) -> DueDate:
        """When the assignment is due for this student; `zone` is its offering's."""
        return decide(
            due_at=assignment.due_at,
            kind=assignment.kind,
            zone=zone,
            extension=self.extensions.get(assignment.pk),
            extra=self.extra,
        )


def grants_of(enrollments: Collection[int]) -> defaultdict[int, Grants]:
    """What stands for each of these students, by enrollment id. Whose grants count for whom is decided here: everyone's own."""
    found: defaultdict[int, Grants] = defaultdict(Grants)
    extensions = Extension.objects.standing().filter(enrollment__in=enrollments)
    for student, assignment, due_at in extensions.values_list("enrollment_id", "assignment_id", "due_at"):
        found[student].extensions[assignment] = due_at
    for accommodation in Accommodation.objects.standing().filter(enrollment__in=enrollments):
        found[accommodation.enrollment_id].extra.append(accommodation.extra_time)
    return found


def decided(enrollment: Enrollment, assignments: Iterable[Assignment]) -> dict[int, DueDate]:
    """Each assignment's due date for one student, by assignment id."""
    grants, zone = grants_of([enrollment.pk])[enrollment.pk], enrollment.offering.zone
    return {assignment.pk: grants.due_date(assignment, zone) for assignment in assignments}


def decided_for_all(assignment: Assignment, enrollments: Collection[int]) -> dict[int, DueDate]:
    """One assignment's due date for many students, by enrollment id."""
    grants, zone = grants_of(enrollments), assignment.offering.zone
    return {pk: grants[pk].due_date(assignment, zone) for pk in enrollments}


def due_together(assignment: Assignment, enrollments: Collection[int], *, viewer: int | None = None) -> DueDate:
    """When one assignment is due for students who hand it in together, as `viewer`, one of them or nobody, may read it."""
    dates = decided_for_all(assignment, enrollments)
    own = dates.get(viewer) if viewer is not None else None
    return together(dates.values(), due_at=assignment.due_at, zone=assignment.offering.zone, own=own)
