"""Which work the queue holds: of assignments that are graded by hand, the last submission of each active student."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import User
from assignments.due.selectors import grants_of
from assignments.models import Assignment, Kind
from courses.models import Enrollment, Offering
from reviews.agreement.choice import is_chosen
from reviews.marking.models import Purpose, Review
from submissions.models import Submission


def hand_graded(offering: Offering) -> QuerySet[Assignment]:
    """Assignments whose whole rubric is marked by hand, in order; readings first."""
    by_hand = Assignment.objects.filter(offering=offering, rubric__isnull=False).exclude(kind=Kind.LAB)
    return by_hand.select_related("offering").order_by("-kind", "number")


def latest(assignments: Collection[Assignment]) -> QuerySet[Submission]:
    """The last submission of each active student for each of the assignments."""
    newer = Submission.objects.filter(
        assignment=OuterRef("assignment"), enrollment=OuterRef("enrollment"), pk__gt=OuterRef("pk")
    )
    students = Enrollment.objects.students().order_by().values("pk")
    chosen = Submission.objects.filter(assignment__in=assignments, enrollment__in=students)
    return chosen.filter(~Exists(newer)).order_by()


def is_due(assignment: Assignment, now: datetime) -> bool:
    """Whether the last second of the assignment's own due date is over."""
    return assignment.due_at < now.replace(microsecond=0)


def still_open(assignments: Collection[Assignment], now: datetime) -> set[tuple[int, int]]:
    """Whose due moment has not passed although the assignment's has: ids of assignment and enrollment. Three queries."""
    offerings = {assignment.offering_id for assignment in assignments}
    students = Enrollment.objects.students().filter(offering__in=offerings).order_by().values_list("pk", flat=True)
    return {
        (assignment.pk, student)
        for student, grants in grants_of(list(students)).items()
        for assignment in assignments
        if grants.due_date(assignment, assignment.offering.zone).due_at >= now.replace(microsecond=0)
    }


def left_in_queue(offering: Offering, grader: User, now: datetime) -> int:
    """How many submissions are left to this grader: nobody's yet, and those chosen for a second reading. Three queries."""
    assignments = [assignment for assignment in hand_graded(offering) if is_due(assignment, now)]
    open_ones = still_open(assignments, now)
    given = Review.objects.filter(submission=OuterRef("pk"))
    first, second = (Exists(given.filter(purpose=purpose)) for purpose in (Purpose.FIRST, Purpose.SECOND))
    own = Exists(given.filter(grader=grader, purpose__in=(Purpose.FIRST, Purpose.SECOND)))
    rows = latest(assignments).filter(~first | ~second, ~own).annotate(read=first)
    return sum(
        (assignment_pk, enrollment_pk) not in open_ones and (not read or is_chosen(assignment_pk, enrollment_pk))
        for assignment_pk, enrollment_pk, read in rows.values_list("assignment_id", "enrollment_id", "read")
    )


def place(assignment_pk: int, enrollment_pk: int) -> bytes:
    """Where a student's work stands in the queue of an assignment: by a hash, so neither by name nor by time, and for ever."""
    return hashlib.sha256(f"{assignment_pk}:{enrollment_pk}".encode()).digest()
