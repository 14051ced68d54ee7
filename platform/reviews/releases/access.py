"""Who may see and make a release: staff look, instructors act."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from assignments.models import Assignment
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment
from reviews.releases.models import Release


def get_graded_assignment_for(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Assignment]:
    """An assignment of any kind, for staff; raises `Http404` for everyone else."""
    enrollment = get_staff_enrollment(user, offering_slug)
    return enrollment, _assignment(enrollment, slug)


def get_assignment_to_decide(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Assignment]:
    """The same, for instructors alone."""
    enrollment = get_instructor_enrollment(user, offering_slug)
    return enrollment, _assignment(enrollment, slug)


def get_release_to_decide(user: User, offering_slug: str, slug: str, pk: int) -> Release:
    """A release of the assignment, for instructors alone."""
    _, assignment = get_assignment_to_decide(user, offering_slug, slug)
    release = Release.objects.filter(assignment=assignment, pk=pk).first()
    if release is None:
        raise Http404("There is no such release.")
    release.assignment = assignment
    return release


def _assignment(enrollment: Enrollment, slug: str) -> Assignment:
    assignments = enrollment.offering.assignments.select_related("lab", "offering")
    assignment = assignments.filter(slug=slug).first()
    if assignment is None:
        raise Http404("There is no such assignment.")
    return assignment
