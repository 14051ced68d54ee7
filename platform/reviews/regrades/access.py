"""Who may see and run regrades: staff of the offering. What is final, applying and reverting, is for instructors."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from assignments.access import get_staff_assignment_for
from courses.access import get_instructor_enrollment
from courses.models import Enrollment
from reviews.regrades.models import LabRegrade


def get_regrade_for(user: User, offering_slug: str, slug: str, number: int) -> tuple[Enrollment, LabRegrade]:
    """A regrade of a lab, for staff; raises `Http404` for everyone else."""
    enrollment, assignment = get_staff_assignment_for(user, offering_slug, slug)
    people = ("started_by", "applied_by", "reverted_by", "discarded_by")
    regrade = LabRegrade.objects.select_related("lab", *people).filter(assignment=assignment, number=number).first()
    if regrade is None:
        raise Http404("There is no such regrade.")
    regrade.assignment = assignment
    return enrollment, regrade


def get_regrade_to_decide(user: User, offering_slug: str, slug: str, number: int) -> LabRegrade:
    """The same, for instructors alone."""
    get_instructor_enrollment(user, offering_slug)
    return get_regrade_for(user, offering_slug, slug, number)[1]
