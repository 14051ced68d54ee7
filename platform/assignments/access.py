"""Who may see an assignment: staff always, students from its opening on."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from assignments.models import Assignment, Kind
from config import clock
from courses.access import get_enrollment, get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment


def get_assignment_for(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Assignment]:
    """A lab of the offering; raises `Http404` for strangers, and for students while it is not open."""
    enrollment = get_enrollment(user, offering_slug)
    assignment = _lab(enrollment, slug)
    if not enrollment.is_staff and not assignment.is_open(clock.now()):
        raise Http404(f"{assignment.label} is not open yet.")
    return enrollment, assignment


def get_staff_assignment_for(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Assignment]:
    """A lab of the offering, for its staff."""
    enrollment = get_staff_enrollment(user, offering_slug)
    return enrollment, _lab(enrollment, slug)


def get_instructor_assignment_for(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Assignment]:
    """A lab of the offering, for its instructors."""
    enrollment = get_instructor_enrollment(user, offering_slug)
    return enrollment, _lab(enrollment, slug)


def _lab(enrollment: Enrollment, slug: str) -> Assignment:
    assignments = enrollment.offering.assignments.select_related("lab", "offering")
    assignment = assignments.filter(slug=slug, kind=Kind.LAB).first()
    if assignment is None:
        raise Http404("There is no such lab.")
    return assignment
