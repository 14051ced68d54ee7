"""Who may grade: staff of the offering, what is graded by hand, once its student's due moment has passed."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404

from accounts.models import User
from assignments.models import Assignment
from config import clock
from courses.access import get_staff_enrollment
from courses.models import Enrollment
from reviews.queue.rows import hand_graded
from reviews.queue.standings import Standing, Standings, standings
from submissions.models import Submission, SubmittedFile


@dataclass(frozen=True)
class Desk:
    """A submission before its grader, and the others of its assignment."""

    enrollment: Enrollment
    assignment: Assignment
    submission: Submission
    here: Standing
    all: Standings


def get_queue_for(user: User, offering: str, assignment: str) -> tuple[Enrollment, Assignment]:
    """An assignment that is graded by hand, for staff; raises `Http404` for everyone else."""
    enrollment = get_staff_enrollment(user, offering)
    found = hand_graded(enrollment.offering).filter(slug=assignment).first()
    if found is None:
        raise Http404("Nothing with this name is graded by hand.")
    return enrollment, found


def get_desk_for(user: User, offering: str, assignment: str, pk: int) -> Desk:
    """A submission that is to be graded, for staff; raises `Http404` for others, and for one that is not to be graded (yet)."""
    enrollment, found = get_queue_for(user, offering, assignment)
    listed = standings([found], user, clock.now())[found.pk]
    here = listed.find(pk)
    if here is None:
        raise Http404(
            "This submission is not in the queue: its student can still hand in, or handed in again since, or left the course."
        )
    submission = Submission.objects.get(pk=pk)
    submission.assignment = found
    return Desk(enrollment, found, submission, here, listed)


def get_upload_for(user: User, offering: str, assignment: str, pk: int, file_pk: int) -> SubmittedFile:
    """A file of a submission in the queue."""
    desk = get_desk_for(user, offering, assignment, pk)
    file = desk.submission.files.filter(pk=file_pk).first()
    if file is None:
        raise Http404("This submission has no such file.")
    return file
