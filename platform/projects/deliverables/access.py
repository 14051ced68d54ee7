"""Who may open a deliverable: staff always, students from its opening on. Only students hand in, and only instructors keep the list."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from assignments.models import Kind
from config import clock
from courses.access import get_enrollment, get_instructor_enrollment
from courses.models import Enrollment
from projects.deliverables.models import Deliverable
from submissions.access import SubmissionAccess, get_submission_for


def get_deliverable_for(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Deliverable]:
    """A deliverable of the offering; raises `Http404` for strangers, and for students while it is not open."""
    enrollment = get_enrollment(user, offering_slug)
    deliverable = _deliverable(enrollment, slug)
    if not enrollment.is_staff and not deliverable.assignment.is_open(clock.now()):
        raise Http404(f"{deliverable.assignment.label} is not open yet.")
    return enrollment, deliverable


def get_own_deliverable_for(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Deliverable]:
    """The same, for the students who hand it in."""
    enrollment, deliverable = get_deliverable_for(user, offering_slug, slug)
    if not enrollment.is_student:
        raise Http404("Only students hand in.")
    return enrollment, deliverable


def get_deliverable_to_keep(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Deliverable]:
    """The same, for instructors alone."""
    enrollment = get_instructor_enrollment(user, offering_slug)
    return enrollment, _deliverable(enrollment, slug)


def get_deliverable_submission_for(user: User, pk: int) -> SubmissionAccess:
    """What was handed in for a deliverable, for its authors and for staff."""
    access = get_submission_for(user, pk)
    if access.submission.assignment.kind != Kind.DELIVERABLE:
        raise Http404("This is no deliverable of a project.")
    return access


def _deliverable(enrollment: Enrollment, slug: str) -> Deliverable:
    found = Deliverable.objects.select_related("assignment__offering__course")
    deliverable = found.filter(assignment__offering=enrollment.offering, assignment__slug=slug).first()
    if deliverable is None:
        raise Http404("There is no such deliverable.")
    return deliverable
