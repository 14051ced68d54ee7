"""Which work the queue holds: of assignments that are graded by hand, the last submission of each active student."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from assignments.models import Assignment, Extension, Kind
from courses.models import Enrollment, Offering
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
    """Whose due moment has not passed although the assignment's has: ids of assignment and enrollment. One query."""
    moved = Extension.objects.filter(assignment__in=assignments, due_at__gte=now.replace(microsecond=0))
    return set(moved.values_list("assignment_id", "enrollment_id"))


def left_in_queue(offering: Offering, now: datetime) -> int:
    """How many submissions are to be graded and nobody has graded yet. Three queries."""
    assignments = [assignment for assignment in hand_graded(offering) if is_due(assignment, now)]
    graded = Review.objects.filter(submission=OuterRef("pk"), purpose=Purpose.FIRST)
    students: dict[int, list[int]] = defaultdict(list)
    for assignment_pk, enrollment_pk in still_open(assignments, now):
        students[assignment_pk].append(enrollment_pk)
    waiting = Q()
    for assignment_pk, enrollments in students.items():
        waiting |= Q(assignment=assignment_pk, enrollment__in=enrollments)
    return latest(assignments).filter(~Exists(graded)).exclude(waiting).count()


def place(assignment_pk: int, enrollment_pk: int) -> bytes:
    """Where a student's work stands in the queue of an assignment: by a hash, so neither by name nor by time, and for ever."""
    return hashlib.sha256(f"{assignment_pk}:{enrollment_pk}".encode()).digest()
