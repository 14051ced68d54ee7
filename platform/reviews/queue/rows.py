"""Which work the queue holds: of assignments that are graded by hand, the last submission of each active student; shared work once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import User
from assignments.due.selectors import grants_of
from assignments.models import Assignment, Kind
from courses.models import Enrollment, Offering
from reviews.agreement.choice import is_chosen
from reviews.marking.models import Purpose, Review
from reviews.marking.scores import latest_submissions
from submissions.models import Submission
from submissions.shared import people_of


class Work(NamedTuple):
    """A submission of the queue, and the enrollments whose work it is."""

    submission_pk: int
    assignment_pk: int
    people: tuple[int, ...]

    @property
    def owner(self) -> int:
        """Who stands for it where one is needed: the same for a team, whichever of its members pressed the button."""
        return min(self.people)


def hand_graded(offering: Offering) -> QuerySet[Assignment]:
    """Assignments whose whole rubric is marked by hand, in order; readings first."""
    with_rubric = Assignment.objects.filter(offering=offering, rubric__isnull=False, scored_elsewhere=False)
    by_hand = with_rubric.exclude(kind=Kind.LAB)
    return by_hand.select_related("offering").order_by("-kind", "number")


def latest(assignments: Collection[Assignment]) -> list[Work]:
    """The last submission of each active student for each of the assignments. Two queries."""
    return works(latest_submissions(*assignments))


def works(submissions: QuerySet[Submission]) -> list[Work]:
    """These submissions with their people. Two queries."""
    listed = list(submissions.order_by().only("pk", "assignment_id", "enrollment_id"))
    people = people_of(listed)
    return [Work(row.pk, row.assignment_id, people[row.pk]) for row in listed]


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


def is_open(work: Work, still: set[tuple[int, int]]) -> bool:
    """Whether any of its people can still hand in: then all of them can."""
    return any((work.assignment_pk, person) in still for person in work.people)


def left_in_queue(offering: Offering, grader: User, now: datetime) -> int:
    """How many submissions are left to this grader: nobody's yet, and those chosen for a second reading. Six queries."""
    assignments = [assignment for assignment in hand_graded(offering) if is_due(assignment, now)]
    open_ones = still_open(assignments, now)
    given = Review.objects.filter(submission=OuterRef("pk"))
    first, second = (Exists(given.filter(purpose=purpose)) for purpose in (Purpose.FIRST, Purpose.SECOND))
    own = Exists(given.filter(grader=grader, purpose__in=(Purpose.FIRST, Purpose.SECOND)))
    unread = latest_submissions(*assignments).filter(~first | ~second, ~own)
    read = set(unread.filter(first).values_list("pk", flat=True))
    return sum(
        not is_open(work, open_ones) and (work.submission_pk not in read or is_chosen(work.assignment_pk, work.owner))
        for work in works(unread)
    )


def place(assignment_pk: int, owner: int) -> bytes:
    """Where somebody's work stands in the queue of an assignment: by a hash, so neither by name nor by time, and for ever."""
    return hashlib.sha256(f"{assignment_pk}:{owner}".encode()).digest()
